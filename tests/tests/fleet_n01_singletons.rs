//! N01: a node with a singleton is cut off: both ways, either way, with its
//! runner killed or hung. Never are there two copies (the kernel's lock is the
//! judge), the next one starts in bounded time, and the history tells why.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::NodeState;
use process_model::ProcessSpec;
use process_model::spec::{Command as Program, Placement, Singleton};
use std::time::{Duration, Instant};
use system_tests::{Bound, Fleet, LockOracle, Net, Plan, Replicas, Sandbox, Started, proc, until};

/// Lease of a node.
const NODE: Duration = Duration::from_secs(2);
/// Lease of the singleton.
const LEASE: Duration = Duration::from_secs(5);
/// Steps of its stop, and the wait after SIGKILL.
const STOP: Duration = Duration::from_millis(500);
const KILL: Duration = Duration::from_millis(500);
/// The registry's margin: a second, as a tenth of the lease is less.
const MARGIN: Duration = Duration::from_secs(1);
/// What it takes beside: a heartbeat, commits, a start.
const MORE: Duration = Duration::from_secs(3);

/// What is done to a node, by its place.
type Cut = fn(&Net, &mut Fleet<'_>, usize);

/// Name, what is cut, and whether the program listens to nothing but SIGKILL.
const CUTS: [(&str, Cut, bool); 5] = [
    ("both ways", |net, _, i| net.isolate(space(i)), false),
    ("the node hears nobody", |net, _, i| net.drop_in(space(i)), false),
    ("nobody hears the node, and its program hears nothing", |net, _, i| net.drop_out(space(i)), true),
    ("both ways, and the runner is killed", |net, fleet, i| (net.isolate(space(i)), fleet.kill(i)).1, true),
    ("both ways, and the runner hangs", |net, fleet, i| (net.isolate(space(i)), fleet.pause(i)).1, false),
];

/// The registry has the first.
fn space(node: usize) -> usize {
    node + 1
}

fn spec(oracle: &LockOracle, is_stubborn: bool) -> ProcessSpec {
    let mut spec = ProcessSpec::new("mail".parse().unwrap(), Program::Shell(oracle.program(is_stubborn)));
    spec.singleton = Some(Box::new(Singleton { lease: LEASE }));
    spec.placement =
        Some(Box::new(Placement { replace_after: Some(LEASE + STOP + KILL + MARGIN), ..Placement::default() }));
    (spec.stop.timeout, spec.stop.kill_timeout) = (STOP, KILL);
    spec
}

#[test]
fn n01_a_singleton_never_runs_twice_however_its_node_is_cut_off() {
    let sandbox = Sandbox::new();
    let net = Net::new(3);
    let flags = ["--heartbeat-interval", "300ms", "--lease", "2s"];
    let replicas = Plan::in_spaces(&sandbox, &net, 1).arguments(&flags).start();
    let mut fleet = Fleet::of(&sandbox, &replicas);
    for i in 0..2 {
        let _ = fleet.add_in(&net, space(i));
    }
    fleet.start_all();
    let oracle = LockOracle::new(&sandbox);
    for (name, cut, is_stubborn) in CUTS {
        let copy = begin(&replicas, &oracle, name, is_stubborn);
        let node = usize::from(copy.node == fleet.name(1));
        let (starts, dropped, revision) = (oracle.starts().len(), net.all_dropped(), revision(&replicas));
        let began = Instant::now();
        cut(&net, &mut fleet, node);
        until(&format!("{name}: another copy"), || oracle.starts().len() > starts);
        let took = began.elapsed();
        let next = oracle.starts().pop().unwrap();
        assert!(net.all_dropped() > dropped, "invalid: {name}: nothing was dropped");
        assert_eq!(oracle.overlaps(), Vec::<String>::new(), "{name}: two copies at once");
        assert_eq!(next.node, fleet.name(1 - node), "{name}: on the other node");
        assert!(next.token > copy.token, "{name}: {next:?} after {copy:?}");
        let promised = NODE + LEASE + STOP + KILL + MARGIN + MORE;
        Bound::of_millis(u64::try_from(promised.as_millis()).unwrap()).holds(&format!("n01: {name}"), took);
        heal(&net, &mut fleet, &replicas, node);
        until(&format!("{name}: the history tells why the copy ended"), || {
            let events = replicas.client(0).all_events().unwrap_or_default();
            events.iter().any(|e| e.revision > revision && e.r#type == "instance.fenced" && e.node == copy.node)
        });
        assert_eq!(oracle.starts().len(), starts + 1, "{name}: one copy after the heal");
        assert_eq!(oracle.overlaps(), Vec::<String>::new(), "{name}: two copies after the heal");
        assert!(proc::is_running(next.pid) && !proc::is_running(copy.pid), "{name}: the newer copy counts");
    }
}

/// A new copy runs.
fn begin(replicas: &Replicas, oracle: &LockOracle, name: &str, is_stubborn: bool) -> Started {
    let (client, starts) = (replicas.client(0), oracle.starts().len());
    let mut spec = spec(oracle, is_stubborn);
    // Another environment is another start.
    spec.env.insert("CUT".to_owned(), name.to_owned());
    until("the registry takes singletons", || client.apply(std::slice::from_ref(&spec)).is_ok());
    until("a new copy runs", || {
        let newest = oracle.starts().pop().filter(|_| oracle.starts().len() > starts);
        let instances = client.instances().unwrap_or_default();
        newest.is_some_and(|one| instances.iter().any(|i| i.ready && i.pid == one.pid))
    });
    oracle.starts().pop().unwrap()
}

fn revision(replicas: &Replicas) -> u64 {
    replicas.status(0).expect("it serves").revision
}

fn heal(net: &Net, fleet: &mut Fleet<'_>, replicas: &Replicas, node: usize) {
    net.heal();
    fleet.cont(node);
    fleet.start_all();
    until("all nodes are ready", || {
        let nodes = replicas.client(0).nodes().unwrap_or_default();
        nodes.len() == 2 && nodes.iter().all(|node| node.state() == NodeState::Ready)
    });
}
