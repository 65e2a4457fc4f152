//! N06: a connection that looks well and carries nothing. Both ends find out
//! within the bound of their keep-alive, and all is well soon after it is.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::NodeState;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;
use system_tests::{Bound, Fleet, Plan, Proxy, Sandbox, Wire, free_ports, until};

/// Heartbeats without an answer for a lease of 2 s, one more on its way.
const RUNNER: Bound = Bound::of_millis(3_500);
/// A ping every 10 s, and 4 s for its answer.
const REGISTRY: Bound = Bound::of_millis(15_000);
/// A dial, and its session.
const BACK: Bound = Bound::of_millis(7_000);

#[test]
fn n06_both_ends_find_a_half_open_connection_within_their_bounds() {
    let sandbox = Sandbox::new();
    let flags = ["--heartbeat-interval", "300ms", "--lease", "2s"];
    let plan = Plan::new(&sandbox, 1).arguments(&flags);
    let wire = Proxy::start(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), free_ports(1)), plan.address(0));
    let mut replicas = plan.start();
    // It is to know no other way than the wire.
    replicas.kill(0);
    replicas.replica(0).set_advertise(&format!("http://{}", wire.address()));
    replicas.restart(0);
    let mut fleet = Fleet::at(&sandbox, &format!("http://{}", wire.address()));
    let node = fleet.add();
    fleet.start(node);
    let ready = |replicas: &system_tests::Replicas| {
        let nodes = replicas.client(0).nodes().unwrap_or_default();
        nodes.iter().any(|node| node.state() == NodeState::Ready)
    };
    until("the node is ready", || ready(&replicas));
    until("its runner knows it", || fleet.in_session(node));
    assert_eq!(replicas.replica(0).metric("pm_registry_sessions"), 1);
    let connections = wire.connections();
    let began = Instant::now();
    wire.set(Wire::Silent);
    until("the runner has noticed", || fleet.said(node).contains("answered no heartbeat for half of the lease"));
    RUNNER.holds("n06: the runner takes the registry for gone", began.elapsed());
    until("the registry has noticed", || replicas.replica(0).metric("pm_registry_sessions") == 0);
    REGISTRY.holds("n06: the registry lets go of the session", began.elapsed());
    assert!(!ready(&replicas), "it is lost by then");
    let healed = Instant::now();
    wire.set(Wire::FAST);
    until("the node is back", || ready(&replicas));
    BACK.holds("n06: the node is back", healed.elapsed());
    assert!(wire.connections() > connections, "invalid: it went on over the old connection");
}
