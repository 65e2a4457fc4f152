//! Everything that the registry knows. Changed only by [`crate::step()`];
//! read by whoever serves it.

use crate::row::{Meta, Row, RowKey};
use crate::{AuditEntry, History, Instance, Node, NodeState, Process, StoredReply, action_number};
use process_model::{Action, Assignment, Event, InstanceId, NodeName, ProcessName};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Everything that the registry knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    pub(crate) meta: Meta,
    pub(crate) processes: BTreeMap<ProcessName, Process>,
    pub(crate) instances: BTreeMap<InstanceId, Instance>,
    pub(crate) nodes: BTreeMap<NodeName, Node>,
    pub(crate) actions: BTreeMap<u64, Action>,
    pub(crate) events: BTreeMap<u64, Event>,
    pub(crate) audit: BTreeMap<u64, AuditEntry>,
    pub(crate) replies: BTreeMap<u64, StoredReply>,
    pub(crate) history: History,
    /// Found from `actions`: those that are not over.
    pub(crate) open_actions: BTreeSet<u64>,
    /// Found from `replies`: number by request id.
    pub(crate) reply_by_request: BTreeMap<String, u64>,
}

impl State {
    /// Revision of the newest event.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.meta.revision
    }

    /// Counters and settings.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// All processes, by name.
    #[must_use]
    pub fn processes(&self) -> &BTreeMap<ProcessName, Process> {
        &self.processes
    }

    /// All instances, by process and index.
    #[must_use]
    pub fn instances(&self) -> &BTreeMap<InstanceId, Instance> {
        &self.instances
    }

    /// All nodes, by name.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<NodeName, Node> {
        &self.nodes
    }

    /// All actions that are kept, by number.
    #[must_use]
    pub fn actions(&self) -> &BTreeMap<u64, Action> {
        &self.actions
    }

    /// All events that are kept, by revision, without a gap.
    #[must_use]
    pub fn events(&self) -> &BTreeMap<u64, Event> {
        &self.events
    }

    /// All audit entries that are kept, by number.
    #[must_use]
    pub fn audit(&self) -> &BTreeMap<u64, AuditEntry> {
        &self.audit
    }

    /// The oldest revision whose event is kept; the next one when none is.
    #[must_use]
    pub fn oldest_revision(&self) -> u64 {
        self.events.first_key_value().map_or(self.meta.revision + 1, |(revision, _)| *revision)
    }

    /// Whether the node is known and ready.
    #[must_use]
    pub fn is_ready(&self, node: &NodeName) -> bool {
        self.nodes.get(node).is_some_and(|n| n.state == NodeState::Ready)
    }

    /// The instances of a process, by index.
    pub fn instances_of<'a>(&'a self, process: &ProcessName) -> impl Iterator<Item = &'a Instance> + use<'a> {
        let all = InstanceId::new(process.clone(), 0)..=InstanceId::new(process.clone(), u32::MAX);
        let all: RangeInclusive<InstanceId> = all;
        self.instances.range(all).map(|(_, instance)| instance)
    }

    /// What belongs on a node, complete. What is being removed is not in it.
    #[must_use]
    pub fn assignments(&self, node: &NodeName) -> Vec<Assignment> {
        self.instances
            .values()
            .filter(|instance| instance.node.as_ref() == Some(node) && !instance.removing)
            .filter_map(|instance| {
                let process = self.processes.get(&instance.id.process)?;
                Some(Assignment {
                    instance: instance.id.clone(),
                    generation: instance.generation,
                    spec: process.spec.clone(),
                    wanted: instance.wanted,
                    restart_count: instance.restart_count,
                    traceparent: instance.traceparent.clone(),
                })
            })
            .collect()
    }

    /// Instances that have to go from a node.
    #[must_use]
    pub fn removals(&self, node: &NodeName) -> Vec<InstanceId> {
        self.instances
            .values()
            .filter(|instance| instance.node.as_ref() == Some(node) && instance.removing)
            .map(|instance| instance.id.clone())
            .collect()
    }

    /// Actions of a node that are not over, oldest first.
    pub fn open_actions<'a>(&'a self, node: &'a NodeName) -> impl Iterator<Item = (u64, &'a Action)> {
        self.open_actions
            .iter()
            .filter_map(|number| Some((*number, self.actions.get(number)?)))
            .filter(move |(_, action)| action.node.as_ref() == Some(node))
    }

    /// The row of this key, if there is one.
    #[must_use]
    pub fn row(&self, key: &RowKey) -> Option<Row> {
        match key {
            RowKey::Meta => Some(Row::Meta(self.meta.clone())),
            RowKey::Process(name) => self.processes.get(name).cloned().map(Row::Process),
            RowKey::Instance(id) => self.instances.get(id).cloned().map(Row::Instance),
            RowKey::Node(name) => self.nodes.get(name).cloned().map(Row::Node),
            RowKey::Action(number) => self.actions.get(number).cloned().map(Row::Action),
            RowKey::Event(revision) => self.events.get(revision).cloned().map(Row::Event),
            RowKey::Audit(number) => self.audit.get(number).cloned().map(Row::Audit),
            RowKey::Reply(number) => self.replies.get(number).cloned().map(Row::Reply),
            RowKey::Generation(name, number) => {
                self.history.generations.get(&(name.clone(), *number)).cloned().map(Row::Generation)
            }
            RowKey::Lineage(name) => self.history.lineages.get(name).cloned().map(Row::Lineage),
        }
    }

    /// Every row, for a snapshot.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        std::iter::once(Row::Meta(self.meta.clone()))
            .chain(self.processes.values().cloned().map(Row::Process))
            .chain(self.instances.values().cloned().map(Row::Instance))
            .chain(self.nodes.values().cloned().map(Row::Node))
            .chain(self.actions.values().cloned().map(Row::Action))
            .chain(self.events.values().cloned().map(Row::Event))
            .chain(self.audit.values().cloned().map(Row::Audit))
            .chain(self.replies.values().cloned().map(Row::Reply))
            .chain(self.history.generations.values().cloned().map(Row::Generation))
            .chain(self.history.lineages.values().cloned().map(Row::Lineage))
    }

    /// Takes in a stored row, in any order.
    pub fn load(&mut self, row: Row) {
        match row {
            Row::Meta(meta) => self.meta = meta,
            Row::Process(process) => drop(self.processes.insert(process.spec.name.clone(), process)),
            Row::Instance(instance) => drop(self.instances.insert(instance.id.clone(), instance)),
            Row::Node(node) => drop(self.nodes.insert(node.name.clone(), node)),
            Row::Action(action) => {
                let number = action_number(&action.id).unwrap_or(0);
                if !action.state.is_final() {
                    self.open_actions.insert(number);
                }
                self.actions.insert(number, action);
            }
            Row::Event(event) => drop(self.events.insert(event.revision, event)),
            Row::Audit(entry) => drop(self.audit.insert(entry.number, entry)),
            Row::Reply(reply) => {
                self.reply_by_request.insert(reply.request_id.clone(), reply.number);
                self.replies.insert(reply.number, reply);
            }
            Row::Generation(generation) => self.history.load_generation(generation),
            Row::Lineage(lineage) => self.history.load_lineage(lineage),
        }
    }
}

impl FromIterator<Row> for State {
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        let mut state = Self::default();
        rows.into_iter().for_each(|row| state.load(row));
        state
    }
}
