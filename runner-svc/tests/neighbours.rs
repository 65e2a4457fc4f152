//! What a runner hears of other nodes: what its instances need there, whose
//! stop waits for others there, which lines others there wait for.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pm_proto::convert::duration_to_wire;
use pm_proto::v1;
use process_model::spec::{Condition, Dependency};
use process_model::{Elsewhere, InstanceReport, Phase, ProcessSpec, Unmet, event_type};
use std::time::Duration;
use support::{Node, lines_in, sh};

fn on_alpha() -> Dependency {
    Dependency { process: "db".parse().unwrap(), condition: Condition::Ready }
}

fn unmet(phase: Phase) -> Elsewhere {
    let (instance, node) = ("db-1".parse().unwrap(), Some("alpha".parse().unwrap()));
    Elsewhere { exists: true, unmet: Some(Unmet { instance, node, phase, comes_again: false }) }
}

/// How `db`, which is on alpha, stands.
fn stands(elsewhere: &Elsewhere) -> v1::NeighbourUpdate {
    v1::NeighbourUpdate { full: true, set: vec![(&on_alpha(), elsewhere).into()], ..Default::default() }
}

fn met() -> Elsewhere {
    Elsewhere { exists: true, unmet: None }
}

fn web(node: &Node) -> ProcessSpec {
    let mut web = sh(node, "web", "echo began >> starts; exec sleep 1000");
    web.depends_on.push(on_alpha());
    web
}

async fn event_of(node: &mut Node, instance: &str, event: &str) -> InstanceReport {
    loop {
        let report = node.event(event).await;
        if report.instance.to_string() == instance {
            return report;
        }
    }
}

/// Until all of these have started, in whatever order.
async fn started(node: &mut Node, instances: &[&str]) {
    let mut left: std::collections::BTreeSet<String> = instances.iter().map(|id| (*id).to_owned()).collect();
    while !left.is_empty() {
        left.remove(&node.event(event_type::INSTANCE_STARTED).await.instance.to_string());
    }
}

/// Until it says that it waits for this.
async fn waits_for(node: &mut Node, words: &str) {
    while event_of(node, "web-1", event_type::INSTANCE_WAITING).await.message != format!("waits for {words}") {}
}

#[tokio::test]
async fn it_waits_for_what_is_on_another_node_and_says_where() {
    let mut node = Node::new().await;
    node.start_runner();
    node.tell_neighbours(stands(&unmet(Phase::Starting)));
    node.assign(&[(web(&node), true, 1)]);
    waits_for(&mut node, "db-1 on node alpha to be ready").await;
    node.tell_neighbours(stands(&met()));
    event_of(&mut node, "web-1", event_type::INSTANCE_STARTED).await;
    // It runs, whatever becomes of what it needed for its start.
    node.tell_neighbours(stands(&unmet(Phase::Failed)));
    node.assign(&[(web(&node), true, 1), (sh(&node, "after", "exec sleep 1000"), true, 1)]);
    event_of(&mut node, "after-1", event_type::INSTANCE_STARTED).await;
    assert_eq!(lines_in(&node.path("starts"), 1).await.len(), 1);
}

#[tokio::test]
async fn what_was_heard_last_counts_without_a_registry_but_for_the_loss_of_a_node() {
    let (lost, stopped) = ("whose node is lost", "which is stopped");
    for (last, but, starts) in [(unmet(Phase::Lost), lost, true), (unmet(Phase::Stopped), stopped, false)] {
        let words = &format!("db-1 on node alpha to be ready, {but}");
        let mut node = Node::new().await;
        node.start_runner();
        node.tell_neighbours(stands(&met()));
        node.assign(&[(web(&node), false, 1)]);
        node.tell_neighbours(stands(&last));
        // Once this runs, everything before it was taken in.
        node.assign(&[(web(&node), true, 1), (sh(&node, "after", "exec sleep 1000"), true, 1)]);
        waits_for(&mut node, words).await;
        if starts {
            node.close_registry();
            node.kill_runner();
            node.start_runner();
            lines_in(&node.path("starts"), 1).await;
            continue;
        }
        // Nobody tells the next runner: what it knows is from its disk.
        node.kill_runner();
        node.start_runner();
        node.assign(&[(web(&node), true, 1), (sh(&node, "last", "exec sleep 1000"), true, 1)]);
        event_of(&mut node, "last-1", event_type::INSTANCE_STARTED).await;
        assert!(!node.path("starts").exists());
    }
}

fn held(longest: Duration) -> v1::NeighbourUpdate {
    let held = vec![v1::HeldStop { instance_id: "db-1".into(), longest: Some(duration_to_wire(longest)) }];
    v1::NeighbourUpdate { held, ..v1::NeighbourUpdate::default() }
}

#[tokio::test]
async fn a_stop_that_is_held_goes_on_when_it_is_let_go_and_when_its_time_is_over() {
    let mut node = Node::new().await;
    let (db, cache) = (sh(&node, "db", "exec sleep 1000"), sh(&node, "cache", "exec sleep 1000"));
    let both = |db_runs, cache_runs| [(db.clone(), db_runs, 1), (cache.clone(), cache_runs, 1)];
    node.start_runner();
    node.assign(&both(true, true));
    started(&mut node, &["db-1", "cache-1"]).await;

    node.tell_neighbours(held(Duration::from_secs(600)));
    node.assign(&both(false, false));
    let first = node.event(event_type::INSTANCE_STOPPED).await;
    assert_eq!(first.instance.to_string(), "cache-1", "the other one is held");
    node.tell_neighbours(v1::NeighbourUpdate::default());
    event_of(&mut node, "db-1", event_type::INSTANCE_STOPPED).await;

    node.assign(&both(true, true));
    started(&mut node, &["db-1", "cache-1"]).await;
    node.tell_neighbours(held(Duration::from_millis(300)));
    node.assign(&both(false, true));
    event_of(&mut node, "db-1", event_type::INSTANCE_STOPPED).await;

    // Wanted again while it is held: nothing happens to it.
    node.assign(&both(true, true));
    event_of(&mut node, "db-1", event_type::INSTANCE_STARTED).await;
    node.tell_neighbours(held(Duration::from_secs(600)));
    let mark = (sh(&node, "mark", "exec sleep 1000"), true, 1);
    node.assign(&[&both(false, true)[..], std::slice::from_ref(&mark)].concat());
    event_of(&mut node, "mark-1", event_type::INSTANCE_STARTED).await;
    node.assign(&[&both(true, false)[..], &[mark]].concat());
    let next = node.event(event_type::INSTANCE_STOPPED).await;
    assert_eq!(next.instance.to_string(), "cache-1");
}

#[tokio::test]
async fn a_line_that_another_node_waits_for_is_told_and_taken_back_with_its_run() {
    let mut node = Node::new().await;
    let db = sh(&node, "db", "echo listening on 5432; while ! [ -e again ]; do sleep 0.05; done; sleep 1000");
    node.start_runner();
    let watches = vec![v1::LineWatch { process: "db".into(), patterns: vec!["on [0-9]+$".into(), "never".into()] }];
    node.tell_neighbours(v1::NeighbourUpdate { full: true, watches, ..Default::default() });
    node.assign(&[(db.clone(), true, 1)]);
    let first = node.lines().await;
    assert_eq!((first.instance_id.as_str(), first.patterns), ("db-1", vec!["on [0-9]+$".to_owned()]));
    node.assign(&[(db, true, 2)]);
    let mut next = node.lines().await;
    // The run is over before the next one has written anything; or both are told at once.
    if next.patterns.is_empty() {
        next = node.lines().await;
    }
    assert_eq!(next.patterns, ["on [0-9]+$"]);
    assert!(next.start_time != first.start_time, "another run");
}
