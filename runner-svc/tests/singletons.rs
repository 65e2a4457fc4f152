//! A singleton on a node that is not confirmed any more: ended by its runner, by
//! its keeper when the runner does not, and started by nobody before the
//! registry has spoken. Real processes, leases of five seconds and of fourteen.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use process_model::spec::Singleton;
use process_model::{ProcessSpec, event_type};
use rustix::process::Signal;
use std::time::{Duration, Instant};
use support::{Node, is_alive, keepers, kill, lines_in, sh};

const LEASE: Duration = Duration::from_secs(5);
const STOP: Duration = Duration::from_millis(600);
const KILL: Duration = Duration::from_millis(400);
/// Of one that outlives the search for the registry, which is dialled again after up to four seconds.
const LONG: Duration = Duration::from_secs(14);
/// What a loaded machine may add before a test fails.
const SLACK: Duration = Duration::from_secs(20);
/// What it may take away: how long before something happens its last heartbeat was sent.
const EARLIER: Duration = Duration::from_secs(3);

fn singleton(node: &Node, line: &str) -> ProcessSpec {
    let mut spec = sh(node, "mail", line);
    spec.singleton = Some(Box::new(Singleton { lease: LEASE }));
    (spec.stop.timeout, spec.stop.kill_timeout) = (STOP, KILL);
    spec
}

/// The same, with [`LONG`].
fn long_singleton(node: &Node, line: &str) -> ProcessSpec {
    ProcessSpec { singleton: Some(Box::new(Singleton { lease: LONG })), ..singleton(node, line) }
}

/// Writes its token down, and then each tenth of a second that it lives.
const POLITE: &str = "echo $PM_FENCING_TOKEN $$ >> starts; exec sleep 1000";
/// The same, and listens to nothing but SIGKILL.
const STUBBORN: &str = "trap '' TERM; echo $PM_FENCING_TOKEN $$ >> starts; while :; do sleep 0.1; done";

/// The process of each start.
async fn starts(node: &Node, count: usize) -> Vec<u32> {
    let lines = lines_in(&node.path("starts"), count).await;
    lines.iter().map(|line| line.strip_prefix("77 ").expect("its token").parse().unwrap()).collect()
}

/// When a process ended; looks every few milliseconds.
async fn ended(pid: u32, by: Duration) -> Instant {
    let deadline = Instant::now() + by;
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    while is_alive(pid) {
        assert!(Instant::now() < deadline, "{pid} lives on");
        tick.tick().await;
    }
    Instant::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_singleton_starts_once_it_is_confirmed_and_is_stopped_when_its_lease_is_over() {
    let mut node = Node::new().await;
    node.answer_heartbeats(false);
    node.assign(&[(singleton(&node, POLITE), true, 0), (sh(&node, "web", "exec sleep 1000"), true, 0)]);
    node.start_runner();
    let waiting = node.event(event_type::INSTANCE_WAITING).await;
    assert!(waiting.message.contains("registry to confirm"), "{waiting:?}");
    assert_eq!(node.event(event_type::INSTANCE_STARTED).await.instance.to_string(), "web-1", "only what may");
    assert!(!node.path("starts").exists());
    node.answer_heartbeats(true);
    let pid = starts(&node, 1).await[0];
    // Confirmed again and again, it outlives its lease.
    tokio::time::sleep(LEASE + Duration::from_secs(1)).await;
    assert!(is_alive(pid));

    node.answer_heartbeats(false);
    let silent = Instant::now();
    let over = ended(pid, LEASE + STOP + KILL + SLACK).await - silent;
    assert!(over >= LEASE - EARLIER, "ended after {over:?}, before its lease was over");
    let fenced = node.event(event_type::INSTANCE_FENCED).await;
    assert!(fenced.message.contains("another node may get it"), "{fenced:?}");
    node.answer_heartbeats(true);
    assert_eq!(starts(&node, 2).await.len(), 2, "it is confirmed again, and still belongs here");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keeper_ends_it_when_the_runner_is_dead_and_the_next_runner_starts_nothing_unconfirmed() {
    let mut node = Node::new().await;
    node.assign(&[(singleton(&node, STUBBORN), true, 0)]);
    node.start_runner();
    let pid = starts(&node, 1).await[0];
    node.event(event_type::INSTANCE_STARTED).await;
    node.close_registry();
    node.kill_runner();
    let dead = Instant::now();
    let over = ended(pid, LEASE + STOP + KILL + SLACK).await - dead;
    assert!(over >= LEASE - EARLIER, "ended after {over:?}, before its lease was over");
    node.start_runner();
    // Away for longer than the lease: nothing may start. Something else shows that it is at work.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(starts(&node, 1).await.len(), 1);
    node.open_registry().await;
    let fenced = node.event(event_type::INSTANCE_FENCED).await;
    assert!(fenced.message.contains("its keeper sent SIGKILL"), "{fenced:?}");
    assert_eq!(starts(&node, 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keeper_ends_it_when_the_runner_hangs_and_it_was_lost_itself_in_between() {
    let mut node = Node::new().await;
    node.assign(&[(singleton(&node, STUBBORN), true, 0)]);
    node.start_runner();
    let pid = starts(&node, 1).await[0];
    node.event(event_type::INSTANCE_STARTED).await;
    // Another keeper takes over, and is told the deadline anew.
    let before = keepers(&node.path("state"))[0];
    kill(before, Signal::KILL);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while keepers(&node.path("state")).iter().all(|keeper| *keeper == before || !is_alive(*keeper)) {
        tick.tick().await;
    }
    // A lease of the new one's has been said by then.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(is_alive(pid), "it outlives a keeper");
    let runner = node.runner.as_ref().unwrap().id();
    kill(runner, Signal::STOP);
    let hangs = Instant::now();
    let over = ended(pid, LEASE + STOP + KILL + SLACK).await - hangs;
    assert!(over >= LEASE - EARLIER, "ended after {over:?}, before its lease was over");
    kill(runner, Signal::CONT);
    let fenced = node.event(event_type::INSTANCE_FENCED).await;
    assert!(!fenced.message.is_empty());
    assert_eq!(starts(&node, 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_back_within_the_lease_goes_on_with_what_runs() {
    let mut node = Node::new().await;
    node.assign(&[(long_singleton(&node, POLITE), true, 0)]);
    node.start_runner();
    let pid = starts(&node, 1).await[0];
    node.event(event_type::INSTANCE_STARTED).await;
    node.close_registry();
    node.kill_runner();
    node.start_runner();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(is_alive(pid), "its lease is not over");
    node.open_registry().await;
    node.event(event_type::INSTANCE_ADOPTED).await;
    tokio::time::sleep(LONG).await;
    assert!(is_alive(pid));
    assert_eq!(starts(&node, 1).await, [pid]);
}
