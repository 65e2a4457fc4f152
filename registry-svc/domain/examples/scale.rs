//! What deciding costs at the size that is promised, 1,000 nodes with 100
//! instances each: `cargo run --release -p registry-domain --example scale`.

// An example measures with a clock, which the package itself must not.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use process_model::spec::Command as Program;
use process_model::{InstanceReport, NodeName, Phase, ProcessSpec, Timestamp, event_type};
use registry_domain::{Apply, Command, Header, NodeHello, Order, Outcome, Report, State, digest, limits, step};
use std::sync::Arc;
use std::time::{Duration, Instant};

const NODES: usize = 1_000;
const PER_NODE: usize = 100;

fn run(state: &mut State, n: usize, order: Order) -> Outcome {
    let time = Timestamp(1_700_000_000_000_000_000 + n as i64);
    let request_id = format!("0190a5b0-0000-7000-8000-{n:012}");
    let header = Header { actor: "admin".into(), request_id, time, ..Header::default() };
    let outcome = step(state, Command { header, order });
    assert!(outcome.reply.is_ok(), "{:?}", outcome.reply);
    outcome
}

fn specs(from: usize, count: usize, instances: u32) -> Order {
    let specs = (from..from + count).map(|n| {
        let mut spec = ProcessSpec::new(format!("process-{n:05}").parse().unwrap(), Program::Shell(format!("run {n}")));
        spec.instances = instances;
        spec.env.insert("PORT".into(), n.to_string());
        Arc::new(spec)
    });
    Order::Apply(Apply { specs: specs.collect(), ..Apply::default() })
}

fn seen(state: &State, node: &NodeName, seq: u64) -> Vec<InstanceReport> {
    let report = |id: &process_model::InstanceId| InstanceReport {
        instance: id.clone(),
        seq,
        generation: 1,
        event_type: event_type::INSTANCE_STARTED.into(),
        time: Timestamp(7),
        phase: Phase::Running,
        ready: true,
        pid: 100,
        restarts: 0,
        last_exit: None,
        started: Some(Timestamp(7)),
        message: format!("instance {id} was started"),
        next_restart: None,
        gone: false,
        containment: "cgroup".into(),
        status: String::new(),
        log_lines: vec![],
    };
    state.instances_on(node).map(|instance| report(&instance.id)).collect()
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    let took = began.elapsed();
    println!("{what}: {took:?}");
    (result, took)
}

fn main() {
    let mut state = State::default();
    let nodes: Vec<NodeName> = (0..NODES).map(|n| format!("node-{n:04}").parse().unwrap()).collect();
    for (n, node) in nodes.iter().enumerate() {
        let hello = NodeHello {
            node: node.clone(),
            boot_id: "b".into(),
            runner_version: "1".into(),
            cpus: 2,
            memory_bytes: 1,
            fences: true,
        };
        run(&mut state, n, Order::NodeConnected(hello));
    }
    timed("apply of 1,000 specs x 1 instance in one command", || run(&mut state, 1_000, specs(0, 1_000, 1)));
    timed("apply of 990 specs x 100 instances in one command", || run(&mut state, 1_001, specs(1_000, 990, 100)));
    assert_eq!(state.instances().len(), NODES * PER_NODE);
    let (_, took) = timed("1,000 reports of 100 instances each", || {
        for (n, node) in nodes.iter().enumerate() {
            let instances = seen(&state, node, 1);
            let report = Report { node: node.clone(), boot_id: "b".into(), seq: 1, instances, actions: vec![] };
            run(&mut state, 2_000 + n, Order::Report(report));
        }
    });
    println!("  {:?} for each instance", took / 100_000);
    let (_, took) = timed("assignments(node) of each of 1,000 nodes", || {
        nodes.iter().map(|node| state.assignments(node).len()).sum::<usize>()
    });
    println!("  {:?} for each node", took / 1_000);
    let (_, took) = timed("1,000 applies of one new spec x 0 instances", || {
        (0..1_000).for_each(|n| drop(run(&mut state, 10_000 + n, specs(5_000 + n, 1, 0))));
    });
    println!("  {:?} for each", took / 1_000);
    for _ in 0..3 {
        let (frozen, _) = timed("freeze", || state.freeze());
        timed("  digest of it", || digest::of(&frozen).unwrap());
        timed("  drop of it", || drop(frozen));
    }
    println!("memory: {} MB", resident() / 1_000);
    for n in 0..limits::STORED_REPLIES {
        run(&mut state, 100_000 + n, specs(5_000 + n % 1_000, 1, 0));
    }
    println!("memory with {} replies: {} MB", limits::STORED_REPLIES, resident() / 1_000);
    timed("freeze with these replies", || state.freeze());
}
