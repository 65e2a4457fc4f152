//! N04: most nodes lose the registry at once. That is no fault of theirs:
//! nothing is placed elsewhere, everybody hears of it, and when they are back
//! nothing was touched. Whoever knows better releases the brake.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::NodeState;
use process_model::ProcessSpec;
use process_model::spec::{Command as Program, Placement};
use std::collections::BTreeMap;
use std::time::Duration;
use system_tests::{Fleet, Net, Plan, RegistryClient, Sandbox, until};

/// Nodes, of which all but one are cut off.
const NODES: usize = 5;

fn count(client: &RegistryClient, kind: &str) -> usize {
    client.all_events().unwrap().iter().filter(|event| event.r#type == kind).count()
}

fn in_state(client: &RegistryClient, state: NodeState) -> usize {
    client.nodes().unwrap().iter().filter(|node| node.state() == state).count()
}

/// Which process each instance is.
fn pids(client: &RegistryClient) -> BTreeMap<String, u32> {
    client.instances().unwrap().into_iter().map(|instance| (instance.id, instance.pid)).collect()
}

#[test]
fn n04_most_nodes_at_once_engage_the_brake_and_nothing_is_replaced() {
    let sandbox = Sandbox::new();
    let net = Net::new(NODES + 1);
    // Nobody but who is cut off is to be lost, and these all at once: a lease is long beside what a busy machine adds.
    let flags = ["--heartbeat-interval", "1s", "--lease", "6s"];
    let mut replicas = Plan::in_spaces(&sandbox, &net, 1).arguments(&flags).start();
    let mut fleet = Fleet::of(&sandbox, &replicas);
    for i in 0..NODES {
        let _ = fleet.add_in(&net, i + 1);
    }
    fleet.start_all();
    let client = replicas.client(0).clone();
    until("all nodes are ready", || in_state(&client, NodeState::Ready) == NODES);
    let mut web = ProcessSpec::new("web".parse().unwrap(), Program::Shell("exec sleep 1000".to_owned()));
    web.placement = Some(Box::new(Placement { replace_after: Some(Duration::ZERO), ..Placement::default() }));
    web.instances = u32::try_from(NODES).unwrap();
    client.apply(&[web]).unwrap();
    until("all run", || client.instances().unwrap().iter().filter(|i| i.ready).count() == NODES);
    let before = pids(&client);
    let cut: Vec<usize> = (2..=NODES).collect();

    net.split(&[0], &cut);
    until("the brake is on", || count(&client, "cluster.brake_engaged") == 1);
    until("all of them are lost", || in_state(&client, NodeState::Lost) == NODES - 1);
    assert!(net.all_dropped() > 0, "invalid: nothing was dropped");
    let health = client.health().unwrap();
    assert!(health.alarms.iter().any(|alarm| alarm.reason == "BRAKE"), "{:?}", health.alarms);
    assert_eq!(replicas.replica(0).metric("pm_registry_brake"), 1);
    // Longer than any of them would have waited.
    std::thread::park_timeout(Duration::from_secs(4));
    assert_eq!(count(&client, "instance.replaced"), 0);

    // Most are back; the last is on its way, and waited for.
    net.heal();
    net.split(&[0], &[NODES]);
    until("the brake is off", || count(&client, "cluster.brake_released") == 1);
    until("most nodes are ready", || in_state(&client, NodeState::Ready) >= NODES - 1);
    std::thread::park_timeout(Duration::from_secs(1));
    assert_eq!(count(&client, "instance.replaced"), 0, "the last is waited for");
    net.heal();
    until("all nodes are ready", || in_state(&client, NodeState::Ready) == NODES);
    assert_eq!(replicas.replica(0).metric("pm_registry_brake"), 0);
    until("all are seen to run", || client.instances().unwrap().iter().filter(|i| i.ready).count() == NODES);
    assert_eq!((pids(&client), count(&client, "instance.replaced")), (before, 0), "nothing was touched");

    // Once more, and somebody knows that they are gone for good.
    net.split(&[0], &cut);
    until("the brake is on", || count(&client, "cluster.brake_engaged") == 2);
    until("all of them are lost", || in_state(&client, NodeState::Lost) == NODES - 1);
    assert!(client.release_brake().unwrap());
    assert!(!client.release_brake().unwrap(), "it was released already");
    until("all run on the one that is left", || {
        let instances = client.instances().unwrap();
        instances.iter().filter(|i| i.ready && i.node == fleet.name(0)).count() == NODES
    });
    assert_eq!(count(&client, "instance.replaced"), NODES - 1);
}
