//! N02: what may run twice is placed elsewhere in bounded time when its node is
//! cut off, and after the heal there is exactly one copy: the newer one. What
//! is to be kept is kept, and a node that returns in time keeps its own.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1;
use process_model::ProcessSpec;
use process_model::spec::{Command as Program, Placement};
use std::time::{Duration, Instant};
use system_tests::{Bound, Fleet, Net, Plan, Replicas, Sandbox, proc, until};

/// Lease of a node.
const NODE: Duration = Duration::from_secs(2);
/// So long what may be placed elsewhere waits: long beside the way back of a node whose link is whole again.
const AFTER: Duration = Duration::from_secs(8);
/// What it takes beside: a heartbeat, commits, a start.
const MORE: Duration = Duration::from_secs(3);

/// A program that writes down where each copy runs.
fn spec(sandbox: &Sandbox, name: &str, after: Option<Duration>) -> ProcessSpec {
    let line = format!("echo $PM_NODE $$ >>{}; exec sleep 1000", sandbox.file(name));
    let mut spec = ProcessSpec::new(name.parse().unwrap(), Program::Shell(line));
    spec.placement = Some(Box::new(Placement { replace_after: after, ..Placement::default() }));
    spec
}

/// Node and process of each start.
fn starts(sandbox: &Sandbox, name: &str) -> Vec<(String, u32)> {
    let text = std::fs::read_to_string(sandbox.file(name)).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(node, pid)| (node.to_owned(), pid.parse().unwrap()))
        .collect()
}

fn alive(sandbox: &Sandbox, name: &str) -> Vec<String> {
    starts(sandbox, name).into_iter().filter(|(_, pid)| proc::is_running(*pid)).map(|(node, _)| node).collect()
}

fn all_are_ready(replicas: &Replicas) -> bool {
    let nodes = replicas.client(0).nodes().unwrap_or_default();
    nodes.len() == 2 && nodes.iter().all(|node| node.state() == v1::NodeState::Ready)
}

#[test]
fn n02_after_the_heal_there_is_one_copy_the_newer_and_what_is_kept_never_moved() {
    let sandbox = Sandbox::new();
    let net = Net::new(3);
    let flags = ["--heartbeat-interval", "300ms", "--lease", "2s"];
    let replicas = Plan::in_spaces(&sandbox, &net, 1).arguments(&flags).start();
    let mut fleet = Fleet::of(&sandbox, &replicas);
    for i in 0..2 {
        let _ = fleet.add_in(&net, i + 1);
    }
    // Alone, the first gets everything.
    fleet.start(0);
    let client = replicas.client(0);
    client.apply(&[spec(&sandbox, "moves", Some(AFTER)), spec(&sandbox, "kept", None)]).unwrap();
    until("both run", || alive(&sandbox, "moves").len() == 1 && alive(&sandbox, "kept").len() == 1);
    fleet.start(1);
    until("both nodes are ready", || all_are_ready(&replicas));

    // Shorter than its time: suspected, lost, and back with all its own.
    net.isolate(1);
    until("the node is lost", || client.nodes().unwrap().iter().any(|node| node.state() == v1::NodeState::Lost));
    net.heal();
    until("the node is back", || all_are_ready(&replicas));
    assert_eq!((starts(&sandbox, "moves").len(), starts(&sandbox, "kept").len()), (1, 1), "it came back in time");

    let began = Instant::now();
    net.isolate(1);
    until("another copy", || starts(&sandbox, "moves").len() == 2);
    let took = began.elapsed();
    assert!(net.all_dropped() > 0, "invalid: nothing was dropped");
    let promised = u64::try_from((NODE + AFTER + MORE).as_millis()).unwrap();
    Bound::of_millis(promised).holds("n02: the next copy", took);
    assert_eq!(alive(&sandbox, "moves"), ["node-1", "node-2"], "the older one runs on, as nobody can reach it");
    net.heal();
    until("one copy is left", || alive(&sandbox, "moves") == ["node-2"]);
    until("the history tells of the older copy's end", || {
        let events = client.all_events().unwrap_or_default();
        let of = |kind: &str| events.iter().filter(|e| e.r#type == kind && e.instance_id == "moves-1").count();
        of("instance.replaced") == 1 && of("instance.left_ended") == 1
    });
    assert_eq!(alive(&sandbox, "kept"), ["node-1"]);
    assert_eq!((starts(&sandbox, "moves").len(), starts(&sandbox, "kept").len()), (2, 1), "nothing was started beside");
    let instances = client.instances().unwrap();
    assert!(instances.iter().all(|instance| instance.ready), "{instances:?}");
}
