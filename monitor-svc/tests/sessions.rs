//! Sessions of nodes: how they begin, and how one takes over from another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test fails by panicking.

mod support;

use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use pm_proto::v1::run_intake_request::Message as Up;
use support::{World, soon};
use tonic::Code;

#[tokio::test]
async fn a_later_session_of_a_node_takes_over_and_the_earlier_one_is_told() {
    let world = World::start();
    let mut earlier = world.runner("a").await;
    earlier.has(&["web-1"]).await;
    world.shows("pm_monitor_instances 1.0").await;
    let mut later = world.runner("a").await;
    let status = earlier.dismissed().await;
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::Aborted, Some(reason::SESSION_REPLACED)));
    later.has(&["web-1", "web-2"]).await;
    world.shows("pm_monitor_instances 2.0").await;
    // The end of the earlier one takes nothing from the later one.
    drop(earlier);
    let _read = world.read("web-1", true).await;
    assert_eq!(later.hears_request().await.instance_id, "web-1");
}

#[tokio::test]
async fn a_session_begins_with_a_hello_that_names_a_node() {
    let world = World::start();
    for (first, field) in [
        (Up::Inventory(v1::Inventory::default()), "message"),
        (Up::Hello(v1::IntakeHello { node: "../a".into() }), "hello.node"),
    ] {
        let mut runner = world.silent_runner().await;
        runner.say(first).await;
        let status = runner.dismissed().await;
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    let mut runner = world.runner("a").await;
    runner.say(Up::Hello(v1::IntakeHello { node: "a".into() })).await;
    assert_eq!(runner.dismissed().await.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_inventory_with_a_wrong_process_is_refused_by_name() {
    let world = World::start();
    let mut runner = world.runner("a").await;
    let items = vec![v1::InventoryItem { instance_id: "web-1".into(), process: "api".into() }];
    runner.say(Up::Inventory(v1::Inventory { items })).await;
    let status = runner.dismissed().await;
    assert!(status.message().starts_with("inventory.items.process"), "{}", status.message());
}

#[tokio::test]
async fn a_runner_that_leaves_takes_its_inventory_with_it() {
    let world = World::start();
    let runner = world.runner("a").await;
    runner.has(&["web-1"]).await;
    world.shows("pm_monitor_instances 1.0").await;
    drop(runner);
    world.shows("pm_monitor_nodes 0.0").await;
    world.shows("pm_monitor_instances 0.0").await;
}

#[tokio::test]
async fn a_stop_ends_sessions_and_reads_at_once_and_says_why() {
    let world = World::start();
    let mut runner = world.runner("a").await;
    runner.has(&["web-1"]).await;
    world.shows("pm_monitor_instances 1.0").await;
    let mut read = world.read("web-1", true).await;
    runner.hears_request().await;
    world.shutdown.cancel();
    let status = soon("the read to end", read.message()).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::Unavailable, Some(reason::SHUTTING_DOWN)));
    assert_eq!(runner.dismissed().await.code(), Code::Unavailable);
    drop((read, runner));
    soon("the server to end", world.served).await.unwrap();
}
