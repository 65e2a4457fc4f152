//! What the machine costs at 1,000 nodes with 100 instances each, on real
//! files: `cargo run --release -p registry-svc --example machine_scale DIR`.
//! Once more with the same directory it shows a restart; without `DIR/state`,
//! one from the snapshot.

// An example ends where it cannot go on.
#![allow(clippy::unwrap_used)]

use process_model::spec::Command as Program;
use process_model::{InstanceReport, NodeName, Phase, ProcessSpec, Timestamp, event_type};
use registry_consensus::{Committed, Entry, Machine, Position};
use registry_domain::{Apply, Command, Header, NodeHello, Order, Report};
use registry_svc::machine::{MachineNumbers, MemoryMachine, Pace, Places, payload};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const NODES: usize = 1_000;

fn apply(machine: &MemoryMachine, orders: impl IntoIterator<Item = Order>) -> Duration {
    let at = machine.applied().at.map_or(1, |at| at.index + 1);
    let command = |(n, order)| {
        let time = Timestamp(1_700_000_000_000_000_000 + i64::try_from(at).unwrap());
        let request_id = format!("0190a5b0-0000-7000-{at:08}-{n:06}");
        Command { header: Header { actor: "admin".into(), request_id, time, ..Header::default() }, order }
    };
    let commands: Vec<Command> = orders.into_iter().enumerate().map(command).collect();
    let entry = Entry::Batch(payload::encode(&commands).unwrap());
    let began = Instant::now();
    let answers = machine.apply(vec![Committed { at: Position { term: 1, index: at }, entry }]).unwrap();
    assert!(answers[0].0.iter().all(Result::is_ok));
    began.elapsed()
}

fn specs(from: usize, count: usize, instances: u32) -> Order {
    let spec = |n: usize| {
        let mut spec = ProcessSpec::new(format!("process-{n:05}").parse().unwrap(), Program::Shell(format!("run {n}")));
        spec.instances = instances;
        spec.env.insert("DATA".into(), "x".repeat(200));
        spec.into()
    };
    Order::Apply(Apply { specs: (from..from + count).map(spec).collect(), ..Apply::default() })
}

fn report(machine: &MemoryMachine, node: &NodeName, seq: u64) -> Order {
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
    let replicated = machine.view().read();
    let instances = replicated.state.instances_on(node).map(|instance| report(&instance.id)).collect();
    Order::Report(Report { node: node.clone(), boot_id: "b".into(), seq, instances, actions: vec![] })
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kb| kb.parse().ok()).unwrap_or(0) / 1_000
}

fn open(places: &Places) -> MemoryMachine {
    let began = Instant::now();
    let machine = MemoryMachine::open(places, Pace::default(), MachineNumbers::default()).unwrap();
    println!("opened at {:?} in {:?}, memory {} MB", machine.applied().at, began.elapsed(), resident());
    machine
}

fn main() {
    let dir = PathBuf::from(std::env::args().nth(1).unwrap());
    let places = Places { state: dir.join("state"), snapshots: dir.join("snapshots") };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let machine = open(&places);
    if machine.applied().at.is_some() {
        machine.close();
        return;
    }
    let nodes: Vec<NodeName> = (0..NODES).map(|n| format!("node-{n:04}").parse().unwrap()).collect();
    let hello = |node: &NodeName| {
        Order::NodeConnected(NodeHello {
            node: node.clone(),
            boot_id: "b".into(),
            runner_version: "1".into(),
            cpus: 2,
            memory_bytes: 1,
            fences: true,
        })
    };
    apply(&machine, nodes.iter().map(hello));
    println!("1,000 specs x 1 instance in one command: {:?}", apply(&machine, [specs(0, 1_000, 1)]));
    println!("990 specs x 100 instances in one command: {:?}", apply(&machine, [specs(1_000, 990, 100)]));
    let (mut all, mut longest) = (Duration::ZERO, Duration::ZERO);
    for node in &nodes {
        let order = report(&machine, node, 1);
        let took = apply(&machine, [order]);
        (all, longest) = (all + took, longest.max(took));
    }
    println!("memory {} MB", resident());
    println!("1,000 entries of 100 reports: {:?} each, longest {longest:?}", all / 1_000);
    let (mut all, mut longest) = (Duration::ZERO, Duration::ZERO);
    for n in 0..2_000 {
        let took = apply(&machine, (0..64).map(|m| specs(3_000 + (n * 64 + m) % 5_000, 1, 0)));
        (all, longest) = (all + took, longest.max(took));
    }
    println!("2,000 entries of 64 applies: {:?} each, longest {longest:?}", all / 2_000);
    println!("memory {} MB", resident());
    let began = Instant::now();
    let snapshot = runtime.block_on(machine.take_snapshot()).unwrap();
    println!("snapshot of {} MB in {:?}", snapshot.source.len() / 1_000_000, began.elapsed());
    let began = Instant::now();
    machine.close();
    println!("closed in {:?}, memory {} MB", began.elapsed(), resident());
}
