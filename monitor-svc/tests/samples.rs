//! Samples in, answers and metrics out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test fails by panicking.

mod support;

use pm_proto::convert::timestamp_to_wire;
use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use process_model::Timestamp;
use std::collections::BTreeMap;
use support::{World, round, sample};
use tonic::Code;

/// A node with web-1 and web-2, both of which ran and of which web-1 runs.
async fn world() -> (World, support::Runner) {
    let world = World::start();
    let runner = world.runner("a").await;
    runner.has(&["web-1", "web-2"]).await;
    runner.say(round(vec![sample("web-1", "a", 100), sample("web-2", "a", 100)], "a", 100)).await;
    runner.say(round(vec![sample("web-1", "a", 101)], "a", 101)).await;
    world.shows("pm_monitor_samples_total 5").await;
    (world, runner)
}

async fn latest(world: &World, selectors: &[&str]) -> v1::ListLatestSamplesResponse {
    let selectors = selectors.iter().map(|&text| text.into()).collect();
    world.samples().list_latest_samples(v1::ListLatestSamplesRequest { selectors }).await.unwrap().into_inner()
}

#[tokio::test]
async fn the_newest_sample_of_what_runs_is_listed_as_it_was_measured() {
    let (world, _runner) = world().await;
    let all = latest(&world, &[]).await;
    assert_eq!(all.instances, [sample("web-1", "a", 101)]);
    assert_eq!(all.nodes.iter().map(|node| node.node.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(latest(&world, &["api"]).await, v1::ListLatestSamplesResponse::default());
}

#[tokio::test]
async fn the_samples_of_an_instance_come_oldest_first_from_a_time_on() {
    let (world, _runner) = world().await;
    let ask = async |since: Option<i64>| {
        let since = since.map(|seconds| timestamp_to_wire(Timestamp::from_parts(seconds, 0)));
        let request = v1::ListInstanceSamplesRequest { instance_id: "web-1".into(), since };
        world.samples().list_instance_samples(request).await.unwrap().into_inner().samples
    };
    assert_eq!(ask(None).await, [sample("web-1", "a", 100), sample("web-1", "a", 101)]);
    assert_eq!(ask(Some(101)).await, [sample("web-1", "a", 101)]);
    assert_eq!(ask(Some(102)).await, []);
}

#[tokio::test]
async fn an_instance_nothing_is_kept_of_and_a_text_that_names_none_are_told_apart() {
    let (world, _runner) = world().await;
    let ask = async |id: &str| {
        let request = v1::ListInstanceSamplesRequest { instance_id: id.into(), since: None };
        world.samples().list_instance_samples(request).await.unwrap_err()
    };
    assert_eq!(ask("api-1").await.code(), Code::NotFound);
    let refused = ask("../api").await;
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().starts_with("instance_id"), "{}", refused.message());
}

#[tokio::test]
async fn metrics_follow_the_conventions_and_go_with_the_inventory() {
    let (world, runner) = world().await;
    world.shows("pm_process_cpu_seconds_total{process=\"web\",replica=\"1\",node=\"a\"} 1.5").await;
    world.shows("pm_process_memory_bytes{process=\"web\",replica=\"1\",node=\"a\",type=\"rss\"} 4096.0").await;
    world.shows("pm_process_up{process=\"web\",replica=\"2\",node=\"a\"} 0.0").await;
    world.shows("pm_node_up{node=\"a\"} 1.0").await;
    check_conventions(&world.metrics().await);

    runner.has(&["web-2"]).await;
    world.shows("pm_monitor_instances 1.0").await;
    let text = world.metrics().await;
    assert!(!text.contains("replica=\"1\""), "{text}");
    drop(runner);
    world.shows("pm_node_up{node=\"a\"} 0.0").await;
    let text = world.metrics().await;
    assert!(!text.contains("pm_process_up"), "{text}");
}

/// What `promtool check metrics` complains about, as far as it concerns us.
fn check_conventions(text: &str) {
    let mut kinds = BTreeMap::new();
    let mut helped = Vec::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty(), "{line}");
            assert!(!helped.contains(&name), "{name} is described twice");
            helped.push(name);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(helped.last(), Some(&name), "help comes right before the type");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            kinds.insert(name, kind);
        } else {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(kinds.contains_key(name), "{line} has no type");
            assert!(!line.contains("instance=") && !line.contains("job=") && !line.contains("pid="), "{line}");
            line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        }
    }
    assert!(kinds.contains_key("pm_build_info") && kinds.contains_key("process_resident_memory_bytes"));
}

#[tokio::test]
async fn the_operations_port_shows_the_same_instances() {
    let (world, _runner) = world().await;
    let text = world.monitor.metrics().encode();
    assert!(text.contains("pm_process_restarts_total{process=\"web\",replica=\"1\",node=\"a\"} 4.0"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn measurements_of_another_node_end_the_session_and_are_not_kept() {
    let world = World::start();
    let mut runner = world.runner("a").await;
    runner.say(round(vec![sample("web-1", "b", 1)], "a", 1)).await;
    let status = runner.dismissed().await;
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::InvalidArgument, Some(reason::INVALID_ARGUMENT)));
    assert!(status.message().contains("samples.node"), "{}", status.message());
    assert_eq!(latest(&world, &[]).await, v1::ListLatestSamplesResponse::default());
}
