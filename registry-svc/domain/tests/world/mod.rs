//! A registry to try commands on: keeps the state, checks the invariants and
//! the rows after each command.

#![allow(dead_code, unreachable_pub, missing_docs)]

use process_model::audit::{Anchor, Break, Verified, Verifier};
use process_model::spec::Command as Program;
use process_model::{
    Action, ActionReport, ActionState, ActionVerb, Event, InstanceId, InstanceReport, NodeName, Phase, ProcessSpec,
    Timestamp, event_type,
};
use registry_domain::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Default)]
pub struct World {
    pub state: State,
    pub rows: BTreeMap<RowKey, Row>,
    pub clock: i64,
    pub log: Vec<Command>,
}

/// The nodes that have to be told something, found by comparing everything.
fn differently_ordered(before: &State, after: &State) -> BTreeSet<NodeName> {
    type Orders = (BTreeSet<(InstanceId, u64, bool, u64)>, BTreeSet<InstanceId>);
    let orders = |state: &State, node: &NodeName| -> Orders {
        let on = || state.instances().values().filter(|i| i.node.as_ref() == Some(node));
        let assigned = on().filter(|i| !i.removing).map(|i| (i.id.clone(), i.generation, i.wanted, i.restart_count));
        (assigned.collect(), on().filter(|i| i.removing).map(|i| i.id.clone()).collect())
    };
    let open = |state: &State, node: &NodeName| -> BTreeSet<u64> {
        let of_node = |action: &&Arc<Action>| action.node.as_ref() == Some(node) && !action.state.is_final();
        state.actions().values().filter(of_node).filter_map(|action| action_number(&action.id)).collect()
    };
    let told = |node: &&NodeName| {
        orders(before, node) != orders(after, node) || !open(after, node).is_subset(&open(before, node))
    };
    let removed = before.nodes().keys().filter(|node| !after.nodes().contains_key(node));
    after.nodes().keys().filter(told).chain(removed).cloned().collect()
}

impl World {
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a command and checks what has to hold after every one.
    pub fn run(&mut self, header: Header, order: Order) -> Outcome {
        self.clock += 1_000_000_000;
        let command = Command { header: Header { time: Timestamp(self.clock), ..header }, order };
        self.log.push(command.clone());
        let before = self.state.clone();
        let outcome = step(&mut self.state, command);
        if outcome.reply.is_err() {
            let kept = |state: &State| state.rows().filter(|row| !is_record(&row.key())).collect::<Vec<_>>();
            assert_eq!(kept(&self.state), kept(&before), "a refused command changed something");
            assert!(outcome.events.is_empty() && outcome.orders.is_empty());
            assert!(outcome.touched.iter().all(is_record), "{:?}", outcome.touched);
        }
        let mut expected = before.revision();
        for event in &outcome.events {
            expected += 1;
            assert_eq!(event.revision, expected, "revisions grow by one with each event");
        }
        assert_eq!(self.state.revision(), expected);
        for key in &outcome.touched {
            match self.state.row(key) {
                Some(row) => {
                    assert_eq!(row.key(), *key);
                    self.rows.insert(key.clone(), row);
                }
                None => drop(self.rows.remove(key)),
            }
        }
        let concerned = if before.meta().mode == self.state.meta().mode {
            differently_ordered(&before, &self.state)
        } else {
            self.state.nodes().keys().cloned().collect()
        };
        assert_eq!(outcome.orders, concerned, "whom it concerns");
        assert_eq!(invariants::broken(&self.state), Vec::<String>::new());
        let rebuilt: State = self.rows.values().cloned().collect();
        assert_eq!(rebuilt, self.state, "the rows are not the state");
        let frozen: State = self.state.freeze().rows().collect();
        assert_eq!(frozen, self.state, "a snapshot would not be the state");
        self.verify().unwrap_or_else(|fault| panic!("the audit log is broken: {fault}"));
        outcome
    }

    /// Follows the audit log from its anchor to its head.
    pub fn verify(&self) -> Result<Verified, Break> {
        let mut verifier = Verifier::new(self.state.meta().audit_anchor);
        self.state.audit().values().try_for_each(|entry| verifier.check(entry))?;
        let head = self.state.audit().values().next_back().map(|entry| Anchor::of(entry));
        verifier.finish(Some(head.unwrap_or(self.state.meta().audit_anchor)))
    }

    /// The newest audit entry.
    pub fn entry(&self) -> &AuditEntry {
        self.state.audit().values().next_back().unwrap()
    }

    pub fn admin(&mut self, order: Order) -> Outcome {
        self.run(Header { actor: "admin".into(), ..Header::default() }, order)
    }

    pub fn ok(&mut self, order: Order) -> Outcome {
        let outcome = self.admin(order);
        assert!(outcome.reply.is_ok(), "refused: {:?}", outcome.reply);
        outcome
    }

    pub fn refused(&mut self, order: Order) -> Refusal {
        self.admin(order).reply.unwrap_err()
    }

    pub fn instance(&self, id: &str) -> &Instance {
        &self.state.instances()[&id.parse().unwrap()]
    }

    /// Nodes of a process' instances, by number; `-`: of none.
    pub fn nodes_of(&self, process: &str) -> Vec<&str> {
        let instances = self.state.instances_of(&process.parse().unwrap());
        instances.map(|one| one.node.as_ref().map_or("-", |node| node.as_str())).collect::<Vec<_>>()
    }

    /// The node of each instance says that it runs and serves.
    pub fn all_run(&mut self) {
        self.clock += 1;
        let seq = self.clock as u64;
        let of = |one: &Arc<Instance>| Some((one.node.clone()?.to_string(), one.id.to_string(), one.generation));
        let waiting = |one: &&Arc<Instance>| one.wanted && !one.removing && !one.is_ready();
        let all: Vec<_> = self.state.instances().values().filter(waiting).filter_map(of).collect();
        for (node, id, generation) in all {
            self.ok(report(&node, vec![InstanceReport { generation, ..seen(&id, seq, Phase::Running) }]));
        }
    }

    /// The node of an instance that is being removed says that it is gone.
    pub fn has_gone(&mut self, id: &str) {
        let one = self.instance(id).clone();
        assert!(one.removing, "{id} is not being removed");
        let (node, seq) = (one.node.unwrap(), one.seen.seq + 1);
        let gone = InstanceReport { generation: one.generation, ..gone(id, seq) };
        self.ok(report(node.as_str(), vec![gone]));
    }

    pub fn has(&self, id: &str) -> bool {
        self.state.instances().contains_key(&id.parse().unwrap())
    }
}

/// Rows that tell of requests, and so of refused ones too; a history ends
/// with the audit entry of its end.
fn is_record(key: &RowKey) -> bool {
    match key {
        RowKey::Meta | RowKey::Audit(_) | RowKey::Generation(..) | RowKey::Lineage(_) | RowKey::Piece(_) => true,
        RowKey::Process(_)
        | RowKey::Instance(_)
        | RowKey::Node(_)
        | RowKey::Action(_)
        | RowKey::Event(_)
        | RowKey::Reply(_)
        | RowKey::Member(_)
        | RowKey::Invitation(_)
        | RowKey::Runs(_)
        | RowKey::Inventory(_) => false,
    }
}

pub fn up(id: u64, store: &str, boot: u64, start: u64) -> Order {
    let (address, version) = (format!("http://r{id}:1"), "1".to_owned());
    Order::MemberUp(members::MemberUp { id, store: store.into(), boot, start, address, version, level: 2 })
}

pub fn enroll(store: &str, votes: bool, above: u64) -> Order {
    let (store, address, version) = (store.to_owned(), format!("http://{store}:1"), "1".to_owned());
    Order::Enroll(members::Enroll { store, address, version, level: 2, votes, above })
}

pub fn rollback(process: &str, to: Option<u64>) -> Order {
    Order::Rollback(Rollback { process: process.parse().unwrap(), to, expected: None, traceparent: String::new() })
}

pub fn configure(event_retention: u64, retention: Option<Retention>) -> Order {
    Order::Configure(Configure { cluster_id: "c".into(), event_retention, retention })
}

pub fn spec(name: &str, instances: u32) -> ProcessSpec {
    let mut spec = ProcessSpec::new(name.parse().unwrap(), Program::Shell(format!("run {name}")));
    spec.instances = instances;
    spec
}

pub fn apply(specs: Vec<ProcessSpec>) -> Order {
    Order::Apply(Apply { specs: specs.into_iter().map(Arc::new).collect(), ..Apply::default() })
}

pub fn hello(node: &str) -> Order {
    booted(node, "boot-1")
}

pub fn booted(node: &str, boot_id: &str) -> Order {
    Order::NodeConnected(NodeHello {
        node: node.parse().unwrap(),
        boot_id: boot_id.into(),
        runner_version: "1".into(),
        cpus: 2,
        memory_bytes: 1 << 30,
        fences: true,
    })
}

/// Every replica knows of placements.
pub fn fleet() -> Order {
    Order::SetLevel { level: 3 }
}

/// A node with labels (`zone=eu`), processors and GiB of memory.
pub fn arrived(node: &str, labels: &[&str], cpus: u32, gib: u64) -> Order {
    let labels = labels.iter().map(|label| process_model::label::parse(label).unwrap()).collect();
    let (os, arch, kernel) = ("linux".to_owned(), "x86_64".to_owned(), "6.1.0-18-amd64".to_owned());
    Order::NodeArrived(NodeArrived {
        hello: NodeHello {
            node: node.parse().unwrap(),
            boot_id: "boot-1".into(),
            runner_version: "1.2.0".into(),
            cpus,
            memory_bytes: gib << 30,
            fences: false,
        },
        facts: NodeFacts { labels, os, arch, kernel },
    })
}

pub fn cordon(node: &str, schedulable: bool) -> Order {
    Order::SetSchedulable(SetSchedulable { node: node.parse().unwrap(), schedulable })
}

pub fn drain(node: &str, deadline: Option<u64>) -> Order {
    let deadline = deadline.map(std::time::Duration::from_secs);
    Order::Drain(DrainNode { node: node.parse().unwrap(), deadline })
}

pub fn label(node: &str, labels: &[(&str, &str)]) -> Order {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Order::LabelNode(LabelNode { node: node.parse().unwrap(), labels })
}

pub fn remove_node(node: &str, force: bool) -> Order {
    Order::RemoveNode(RemoveNode { node: node.parse().unwrap(), force })
}

/// A spec that asks for something of nodes.
pub fn placed(name: &str, instances: u32, ask: impl FnOnce(&mut process_model::spec::Placement)) -> ProcessSpec {
    let mut placement = process_model::spec::Placement::default();
    ask(&mut placement);
    ProcessSpec { placement: Some(Box::new(placement)), ..spec(name, instances) }
}

pub fn lost(node: &str) -> Order {
    Order::NodeLost { node: node.parse().unwrap() }
}

pub fn delete(selector: &str) -> Order {
    Order::Delete { selectors: vec![selector.into()] }
}

pub fn switch(verb: ActionVerb, selector: &str) -> Order {
    Order::Switch(Switch { verb, selectors: vec![selector.into()], stop_timeout: None, traceparent: String::new() })
}

pub fn seen(id: &str, seq: u64, phase: Phase) -> InstanceReport {
    InstanceReport {
        instance: id.parse().unwrap(),
        seq,
        generation: 1,
        event_type: event_type::INSTANCE_STARTED.into(),
        time: Timestamp(7),
        phase,
        ready: phase == Phase::Running,
        pid: 100,
        restarts: 0,
        last_exit: None,
        started: Some(Timestamp(7)),
        message: format!("{id} is {phase}"),
        next_restart: None,
        gone: false,
        containment: String::new(),
        status: String::new(),
        log_lines: vec![],
    }
}

pub fn gone(id: &str, seq: u64) -> InstanceReport {
    InstanceReport { gone: true, event_type: event_type::INSTANCE_STOPPED.into(), ..seen(id, seq, Phase::Stopped) }
}

pub fn report(node: &str, instances: Vec<InstanceReport>) -> Order {
    Order::Report(Report { node: node.parse().unwrap(), boot_id: "boot-1".into(), seq: 1, instances, actions: vec![] })
}

pub fn action_report(node: &str, action: &str, state: ActionState) -> Order {
    let actions = vec![ActionReport { action: action.into(), state, message: String::new(), time: Timestamp(9) }];
    Order::Report(Report { node: node.parse().unwrap(), boot_id: "boot-1".into(), seq: 2, instances: vec![], actions })
}

pub fn kinds(events: &[Arc<Event>]) -> Vec<&str> {
    events.iter().map(|e| e.kind.as_str()).collect()
}
