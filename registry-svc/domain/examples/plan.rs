//! What placing costs at the size that is promised, 10,000 instances on 1,000
//! nodes: `cargo run --release -p registry-domain --example plan`.

// An example measures with a clock, which the package itself must not.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::wildcard_enum_match_arm)]

use process_model::spec::{Command as Program, Constraint, Placement, PlacementStrategy, Reservation};
use process_model::{ProcessSpec, Timestamp};
use registry_domain::placement::{explain, plan};
use registry_domain::{Apply, Command, Header, NodeArrived, NodeFacts, NodeHello, Order, Outcome, State, step};
use std::sync::Arc;
use std::time::{Duration, Instant};

const NODES: usize = 1_000;
const INSTANCES: usize = 10_000;

fn run(state: &mut State, order: Order) -> Outcome {
    let header = Header { actor: "admin".into(), time: Timestamp(1_700_000_000_000_000_000), ..Header::default() };
    let outcome = step(state, Command { header, order });
    assert!(outcome.reply.is_ok(), "{:?}", outcome.reply);
    outcome
}

fn arrived(number: usize) -> Order {
    let labels = [("zone".to_owned(), format!("z{}", number % 3)), ("rack".to_owned(), format!("r{}", number % 40))];
    Order::NodeArrived(NodeArrived {
        hello: NodeHello {
            node: format!("node-{number:04}").parse().unwrap(),
            boot_id: "b".into(),
            runner_version: "1.0.0".into(),
            cpus: 32,
            memory_bytes: 128 << 30,
            fences: false,
        },
        facts: NodeFacts { labels: labels.into(), os: "linux".into(), arch: "x86_64".into(), kernel: "6.1.0".into() },
    })
}

fn spec(number: usize, instances: usize, placement: Option<Placement>) -> Arc<ProcessSpec> {
    let name = format!("process-{number:05}").parse().unwrap();
    let mut spec = ProcessSpec::new(name, Program::Shell("run".into()));
    spec.instances = u32::try_from(instances).unwrap();
    spec.placement = placement.map(Box::new);
    spec.into()
}

/// A plan for everything at once: the instances are there before the nodes
/// take anything.
fn measure(what: &str, processes: usize, ask: impl Fn(usize) -> Option<Placement>) {
    let mut state = State::default();
    run(&mut state, Order::SetLevel { level: 3 });
    let each = INSTANCES / processes;
    let specs: Vec<_> = (0..processes).map(|number| spec(number, each, ask(number))).collect();
    // All nodes but in one step: placed by the last of them would be no plan over all.
    for number in 0..NODES {
        run(&mut state, arrived(number));
    }
    let cordon = |state: &mut State, schedulable| {
        for node in state.nodes().keys().cloned().collect::<Vec<_>>() {
            run(state, Order::SetSchedulable(registry_domain::SetSchedulable { node, schedulable }));
        }
    };
    cordon(&mut state, false);
    run(&mut state, Order::Apply(Apply { specs, ..Apply::default() }));
    // The rows as they are, with every node open: nothing is placed by loading them.
    let open: State = state
        .rows()
        .map(|row| match row {
            registry_domain::Row::Node(node) => {
                registry_domain::Row::Node(registry_domain::Node { cordoned: false, ..(*node).clone() }.into())
            }
            row => row,
        })
        .collect();
    let mut best = Duration::MAX;
    let mut placed = 0;
    for _ in 0..5 {
        let began = Instant::now();
        placed = plan(&open).len();
        best = best.min(began.elapsed());
    }
    println!("{what:<58}{placed:>7} placed in {:>9.2} ms", best.as_secs_f64() * 1000.0);
}

fn main() {
    let constraint = |text: &str| text.parse::<Constraint>().unwrap();
    let reserve = Reservation { cpu_millis: 500, memory: 1 << 30 };
    measure("100 processes x 100, nothing asked", 100, |_| None);
    measure("100 x 100, a constraint and a reservation", 100, |n| {
        Some(Placement {
            constraints: vec![constraint(&format!("zone = z{}", n % 3))],
            reserve,
            ..Placement::default()
        })
    });
    measure("100 x 100, spread over zones, at most 1 on a node", 100, |_| {
        Some(Placement { spread_by: Some("zone".into()), max_per_node: Some(1), reserve, ..Placement::default() })
    });
    measure("100 x 100, bin-pack", 100, |_| {
        Some(Placement { strategy: PlacementStrategy::BinPack, reserve, ..Placement::default() })
    });
    measure("100 x 100, a regular expression, apart from the next", 100, |n| {
        Some(Placement {
            constraints: vec![constraint("rack regexp ^r[0-9]+$"), constraint("node.kernel version >= 5.15")],
            apart_from: vec![format!("process-{:05}", (n + 1) % 100).parse().unwrap()],
            reserve,
            ..Placement::default()
        })
    });
    measure("1 process x 10,000, a constraint", 1, |_| {
        Some(Placement { constraints: vec![constraint("zone != z0")], ..Placement::default() })
    });
    measure("10,000 x 1, a constraint and a reservation", 10_000, |n| {
        Some(Placement {
            constraints: vec![constraint(&format!("zone = z{}", n % 3))],
            reserve,
            ..Placement::default()
        })
    });
    measure("10,000 x 1, each with its own node by name", 10_000, |n| {
        Some(Placement {
            constraints: vec![constraint(&format!("node.name = node-{:04}", n % NODES))],
            ..Placement::default()
        })
    });
    measure("1,000 x 10, fits nowhere", 1_000, |_| {
        Some(Placement { constraints: vec![constraint("gpu = yes")], ..Placement::default() })
    });
    commands();
}

/// Whole commands, one after the other, as the log has them.
fn commands() {
    let mut state = State::default();
    run(&mut state, Order::SetLevel { level: 3 });
    (0..NODES).for_each(|number| drop(run(&mut state, arrived(number))));
    let reserve = Reservation { cpu_millis: 100, memory: 1 << 28 };
    let ask = || Placement { constraints: vec!["zone = z1".parse().unwrap()], reserve, ..Placement::default() };
    let began = Instant::now();
    for number in 0..INSTANCES {
        let specs = vec![spec(number, 1, Some(ask()))];
        run(&mut state, Order::Apply(Apply { specs, ..Apply::default() }));
    }
    let took = began.elapsed();
    println!(
        "10,000 applies of one instance, one after the other: {:.0} placements/s decided, audited and recorded",
        INSTANCES as f64 / took.as_secs_f64()
    );
    let began = Instant::now();
    explain(&state, &"process-00000".parse().unwrap(), None).unwrap();
    println!("explain on 1,000 nodes: {:?}", began.elapsed());
}
