//! N03: a node whose link goes up and down every two seconds. What it had is
//! placed elsewhere once and stays there; nothing goes back and forth, and the
//! node gets nothing new before it has been steady.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::NodeState;
use process_model::ProcessSpec;
use process_model::spec::{Command as Program, Placement};
use std::time::Duration;
use system_tests::{Fleet, Net, Plan, RegistryClient, Sandbox, until};

/// The link is down for so long, and up for so long.
const HALF: Duration = Duration::from_secs(2);
/// How often.
const TIMES: usize = 5;

fn spec(name: &str, after: Option<Duration>) -> ProcessSpec {
    let mut spec = ProcessSpec::new(name.parse().unwrap(), Program::Shell("exec sleep 1000".to_owned()));
    spec.placement = Some(Box::new(Placement { replace_after: after, ..Placement::default() }));
    spec
}

fn count(client: &RegistryClient, kind: &str) -> usize {
    client.all_events().unwrap().iter().filter(|event| event.r#type == kind).count()
}

#[test]
fn n03_a_flapping_node_loses_what_it_has_once_and_gets_nothing_new() {
    let sandbox = Sandbox::new();
    let net = Net::new(3);
    // So short a lease that each time the link is down loses the node.
    let flags = ["--heartbeat-interval", "200ms", "--lease", "1s"];
    let replicas = Plan::in_spaces(&sandbox, &net, 1).arguments(&flags).start();
    let mut fleet = Fleet::of(&sandbox, &replicas);
    for i in 0..2 {
        let _ = fleet.add_in(&net, i + 1);
    }
    fleet.start(0);
    let client = replicas.client(0);
    // Longer than it is away once, with what a busy machine adds, and shorter than it is in all.
    let later = spec("later", Some(HALF * 6));
    client.apply(&[spec("at-once", Some(Duration::ZERO)), later, spec("kept", None)]).unwrap();
    until("all run", || client.instances().unwrap().iter().filter(|i| i.ready).count() == 3);
    fleet.start(1);
    let state = |name: &str| {
        let nodes = client.nodes().unwrap();
        nodes.iter().find(|node| node.name == name).map(|node| node.state())
    };
    until("both nodes are ready", || state("node-1") == state("node-2") && state("node-2") == Some(NodeState::Ready));
    for _ in 0..TIMES {
        net.link_down(1);
        until("the node is lost", || state("node-1") == Some(NodeState::Lost));
        std::thread::park_timeout(HALF);
        net.link_up(1);
        until("the node is back", || state("node-1") == Some(NodeState::Ready));
        std::thread::park_timeout(HALF);
    }
    assert!(count(client, "node.lost") >= TIMES, "invalid: the node did not flap");
    assert_eq!(count(client, "instance.replaced"), 1, "what does not wait went once; what waits longer, never");
    let on = |name: &str| client.instances().unwrap().into_iter().find(|i| i.process == name).unwrap().node;
    assert_eq!((on("at-once").as_str(), on("later").as_str(), on("kept").as_str()), ("node-2", "node-1", "node-1"));
    let events = client.all_events().unwrap();
    assert!(events.iter().any(|e| e.message.contains("gets nothing new before it has been steady")));
    // It is ready, has less to do, and gets nothing all the same.
    let mut more = spec("more", None);
    more.instances = 4;
    client.apply(&[more]).unwrap();
    until("all run", || client.instances().unwrap().iter().filter(|i| i.ready).count() == 7);
    assert!(client.instances().unwrap().iter().filter(|i| i.process == "more").all(|i| i.node == "node-2"));
}
