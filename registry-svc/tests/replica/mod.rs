//! One replica's machine without a cluster: entries to apply, a model to
//! compare with, and what a log would replay.

#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod child;
pub mod disk;

use process_model::spec::Command as Program;
use process_model::{ActionVerb, InstanceReport, Phase, ProcessSpec, Timestamp, event_type};
use registry_consensus::{Applied, Committed, Entry, Machine, Members, Position, ReplicaId, Snapshot, Voters};
use registry_domain::{Apply, Command, Header, NodeHello, Order, Report, State, Switch, digest, step};
use registry_svc::machine::{MachineNumbers, MemoryMachine, Pace, Places, payload};
use std::path::Path;
use std::time::Duration;

pub fn places(dir: &Path) -> Places {
    Places { state: dir.join("state"), snapshots: dir.join("snapshots") }
}

pub fn open(dir: &Path) -> MemoryMachine {
    open_with(dir, Pace::default())
}

/// Writes every row at once: the thread is always at work.
pub fn hurried() -> Pace {
    Pace {
        every: Duration::ZERO,
        rows: 1,
        at_once: 3,
        at_once_of_few: 3,
        rest: 0,
        longest_rest: Duration::ZERO,
        first_rest: Duration::ZERO,
    }
}

pub fn open_with(dir: &Path, pace: Pace) -> MemoryMachine {
    MemoryMachine::open(&places(dir), pace, MachineNumbers::default()).unwrap()
}

pub fn digest_of(state: &State) -> [u8; 32] {
    digest::of(&state.freeze()).unwrap()
}

pub fn digest(machine: &MemoryMachine) -> [u8; 32] {
    digest_of(&machine.view().read().state)
}

pub fn index(machine: &MemoryMachine) -> Option<u64> {
    machine.applied().at.map(|at| at.index)
}

pub fn path_of(dir: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let files = dir.join("snapshots").read_dir().unwrap().map(|file| file.unwrap().path());
    let mut paths: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    paths.sort();
    paths
}

pub fn bytes(snapshot: &Snapshot) -> Vec<u8> {
    snapshot.source.read_at(0, usize::MAX >> 1).unwrap().to_vec()
}

/// The order that stands at an index: the same for ever, so that a test can
/// replay what a log would hold. Touches every kind of row, and takes rows
/// away again.
pub fn order(index: u64) -> Order {
    let node = || format!("node-{}", index % 3).parse().unwrap();
    let name = format!("p-{}", index / 7 % 23);
    match index % 7 {
        _ if index < 3 => Order::NodeConnected(NodeHello {
            node: node(),
            boot_id: "boot".into(),
            runner_version: "1".into(),
            cpus: 1,
            memory_bytes: 1,
            fences: true,
        }),
        0 => {
            let mut spec = ProcessSpec::new(name.parse().unwrap(), Program::Shell(format!("run {index}")));
            spec.instances = u32::try_from(index % 5).unwrap();
            // Rows of many lengths; some take more than one piece in the store.
            spec.env.insert("TEXT".into(), "x".repeat(usize::try_from(index * 7919 % 9000).unwrap()));
            Order::Apply(Apply { specs: vec![spec.into()], ..Apply::default() })
        }
        1 => switch(ActionVerb::Restart, &name),
        2..=4 => Order::Report(Report {
            node: node(),
            boot_id: "boot".into(),
            seq: index,
            instances: (1..5).map(|n| seen(&format!("{name}-{n}"), index)).collect(),
            actions: vec![],
        }),
        5 if index.is_multiple_of(3) => Order::Delete { selectors: vec![name] },
        5 => Order::NodeLost { node: node() },
        _ => Order::NodeConnected(NodeHello {
            node: node(),
            boot_id: "boot".into(),
            runner_version: "1".into(),
            cpus: 1,
            memory_bytes: 1,
            fences: true,
        }),
    }
}

fn switch(verb: ActionVerb, selector: &str) -> Order {
    Order::Switch(Switch { verb, selectors: vec![selector.into()], stop_timeout: None, traceparent: String::new() })
}

pub fn seen(id: &str, seq: u64) -> InstanceReport {
    InstanceReport {
        instance: id.parse().unwrap(),
        seq,
        generation: 1,
        event_type: event_type::INSTANCE_STARTED.into(),
        time: Timestamp(7),
        phase: Phase::ALL[usize::try_from(seq).unwrap() % Phase::ALL.len()],
        ready: true,
        pid: 7,
        restarts: 0,
        last_exit: None,
        started: None,
        message: format!("report {seq}"),
        next_restart: None,
        gone: seq.is_multiple_of(2),
        containment: String::new(),
        status: String::new(),
        log_lines: vec![],
    }
}

pub fn command(index: u64) -> Command {
    let time = Timestamp(i64::try_from(index).unwrap() * 1_000_000);
    let request_id = if index.is_multiple_of(2) { format!("request-{index}") } else { String::new() };
    Command { header: Header { actor: "admin".into(), request_id, time, ..Header::default() }, order: order(index) }
}

pub fn members() -> Members {
    Members { voters: Voters::of([1, 2, 3].map(ReplicaId)), learners: [ReplicaId(4)].into() }
}

/// What the log holds at an index, from 1.
pub fn committed(index: u64) -> Committed {
    let entry = match index {
        1 => Entry::Members(members()),
        _ if index.is_multiple_of(50) => Entry::Blank,
        _ => Entry::Batch(payload::encode(&[command(index), command(index + 1_000_000)]).unwrap()),
    };
    Committed { at: Position { term: 1 + index / 100, index }, entry }
}

/// What has to be there after all entries up to an index.
#[derive(Default)]
pub struct Model {
    pub state: State,
    pub index: u64,
}

impl Model {
    pub fn at(index: u64) -> Self {
        let mut model = Self::default();
        model.advance(index);
        model
    }

    pub fn advance(&mut self, upto: u64) {
        for index in self.index + 1..=upto {
            if index != 1 && !index.is_multiple_of(50) {
                step(&mut self.state, command(index));
                step(&mut self.state, command(index + 1_000_000));
            }
        }
        self.index = self.index.max(upto);
    }

    pub fn applied(&self) -> Applied {
        match self.index {
            0 => Applied::default(),
            index => Applied {
                at: Some(Position { term: 1 + index / 100, index }),
                members_at: Some(Position { term: 1, index: 1 }),
                members: members(),
            },
        }
    }
}

/// Applies everything that follows what is applied, up to an index.
pub fn apply_upto(machine: &MemoryMachine, upto: u64) {
    for from in (index(machine).unwrap_or(0) + 1..=upto).step_by(8) {
        let entries = (from..=upto.min(from + 7)).map(committed).collect();
        machine.apply(entries).unwrap();
    }
}

/// Asserts that a machine is where a model is, in everything.
pub fn is_at(machine: &MemoryMachine, upto: u64) {
    let model = Model::at(upto);
    assert_eq!(machine.applied(), model.applied());
    // Not `assert_eq`: nobody reads two states.
    assert!(machine.view().read().state == model.state, "the state at {upto} is another one");
    assert_eq!(digest(machine), digest_of(&model.state));
}
