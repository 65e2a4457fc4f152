//! Everything that the registry knows. Changed only by [`crate::step()`];
//! read by whoever serves it. Values are shared: a copy of the state that
//! somebody reads at leisure ([`Frozen`]) copies none of them, and a value
//! that is changed while such a copy lives is copied then.

mod changes;
mod frozen;
mod listing;

pub use frozen::Frozen;
pub use listing::{Roster, Usage};

use crate::index::Index;
use crate::invitations::Invitation;
use crate::members::Member;
use crate::row::{Meta, Row, RowKey};
use crate::{AuditEntry, History, Instance, Inventory, Node, NodeState, Piece, Process, Runs, Series, StoredReply};
use process_model::{Action, Assignment, Event, InstanceId, NodeName, Phase, ProcessName};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// Everything that the registry knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    pub(crate) meta: Meta,
    pub(crate) processes: BTreeMap<ProcessName, Arc<Process>>,
    pub(crate) instances: BTreeMap<InstanceId, Arc<Instance>>,
    pub(crate) nodes: BTreeMap<NodeName, Arc<Node>>,
    pub(crate) actions: BTreeMap<u64, Arc<Action>>,
    pub(crate) events: Series<Event>,
    pub(crate) audit: Series<AuditEntry>,
    pub(crate) replies: Series<StoredReply>,
    pub(crate) history: History,
    pub(crate) members: BTreeMap<u64, Arc<Member>>,
    pub(crate) pieces: BTreeMap<u32, Arc<Piece>>,
    pub(crate) inventories: BTreeMap<NodeName, Arc<Inventory>>,
    pub(crate) invitations: BTreeMap<String, Arc<Invitation>>,
    pub(crate) runs: BTreeMap<InstanceId, Arc<Runs>>,
    /// Found from `replies`: hash of the request id, number.
    pub(crate) reply_by_request: BTreeSet<(u64, u64)>,
    /// Found from instances, nodes and actions.
    pub(crate) index: Index,
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
    pub fn processes(&self) -> &BTreeMap<ProcessName, Arc<Process>> {
        &self.processes
    }

    /// All instances, by process and index.
    #[must_use]
    pub fn instances(&self) -> &BTreeMap<InstanceId, Arc<Instance>> {
        &self.instances
    }

    /// All nodes, by name.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<NodeName, Arc<Node>> {
        &self.nodes
    }

    /// All actions that are kept, by number.
    #[must_use]
    pub fn actions(&self) -> &BTreeMap<u64, Arc<Action>> {
        &self.actions
    }

    /// All events that are kept, by revision, without a gap.
    #[must_use]
    pub fn events(&self) -> &Series<Event> {
        &self.events
    }

    /// All audit entries that are kept, by number.
    #[must_use]
    pub fn audit(&self) -> &Series<AuditEntry> {
        &self.audit
    }

    /// All replicas that are or were members and have said so, by number.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<u64, Arc<Member>> {
        &self.members
    }

    /// The oldest revision that somebody can go on from: its event is kept, and nothing was restored since; the
    /// next one when there is none.
    #[must_use]
    pub fn oldest_revision(&self) -> u64 {
        let after = self.events.range(self.meta.cut.saturating_add(1)..).next();
        after.map_or(self.meta.revision + 1, |(revision, _)| revision)
    }

    /// The highest numbers that events, audit entries and replies have or had.
    #[must_use]
    pub fn highest(&self) -> [u64; 3] {
        let last = |last: Option<u64>, counted: u64| last.unwrap_or(0).max(counted);
        [
            last(self.events.last().map(|(number, _)| number), self.meta.revision),
            last(self.audit.last().map(|(number, _)| number), self.meta.audited),
            last(self.replies.last().map(|(number, _)| number), self.meta.audited),
        ]
    }

    /// The rows of events, audit entries and replies above these numbers.
    pub fn rows_above(&self, [event, audit, reply]: [u64; 3]) -> impl Iterator<Item = Row> + '_ {
        let above = |number: u64| (Bound::Excluded(number), Bound::Unbounded);
        let events = self.events.range(above(event)).map(|(_, event)| Row::Event(event.clone()));
        let audit = self.audit.range(above(audit)).map(|(_, entry)| Row::Audit(entry.clone()));
        let replies = self.replies.range(above(reply)).map(|(_, reply)| Row::Reply(reply.clone()));
        events.chain(audit).chain(replies)
    }

    /// Whether the node is known and ready.
    #[must_use]
    pub fn is_ready(&self, node: &NodeName) -> bool {
        self.nodes.get(node).is_some_and(|n| n.state == NodeState::Ready)
    }

    /// Instances on a node, those being removed included.
    #[must_use]
    pub fn load_of(&self, node: &NodeName) -> usize {
        self.index.load(node)
    }

    /// Instances by phase; a phase that none is in is left out.
    #[must_use]
    pub fn phases(&self) -> &BTreeMap<Phase, usize> {
        self.index.phases()
    }

    /// The instances of a process, by index.
    pub fn instances_of<'a>(&'a self, process: &ProcessName) -> impl Iterator<Item = &'a Arc<Instance>> + use<'a> {
        self.instances.range(InstanceId::all_of(process)).map(|(_, instance)| instance)
    }

    /// The instances on a node, those being removed included, by id.
    pub fn instances_on<'a>(&'a self, node: &NodeName) -> impl Iterator<Item = &'a Arc<Instance>> + use<'a> {
        self.index.on(node).filter_map(|id| self.instances.get(id))
    }

    /// What belongs on a node, complete. What is being removed is not in it.
    #[must_use]
    pub fn assignments(&self, node: &NodeName) -> Vec<Assignment> {
        self.instances_on(node)
            .filter(|instance| !instance.removing)
            .filter_map(|instance| {
                let spec = self.spec_of(instance)?;
                Some(Assignment {
                    instance: instance.id.clone(),
                    generation: instance.generation,
                    spec,
                    wanted: instance.wanted,
                    restart_count: instance.restart_count,
                    traceparent: instance.traceparent.clone(),
                    fencing_token: instance.token,
                    plan: self.plan_of(instance),
                })
            })
            .collect()
    }

    /// Instances that have to go from a node.
    #[must_use]
    pub fn removals(&self, node: &NodeName) -> Vec<InstanceId> {
        self.instances_on(node).filter(|instance| instance.removing).map(|instance| instance.id.clone()).collect()
    }

    /// Actions of a node that are not over, oldest first.
    pub fn open_actions<'a>(&'a self, node: &NodeName) -> impl Iterator<Item = (u64, &'a Arc<Action>)> + use<'a> {
        self.index.open_on(node).filter_map(|number| Some((number, self.actions.get(&number)?)))
    }

    /// The row of this key, if there is one.
    #[must_use]
    pub fn row(&self, key: &RowKey) -> Option<Row> {
        match key {
            RowKey::Meta => Some(Row::Meta(self.meta.clone().into())),
            RowKey::Process(name) => self.processes.get(name).cloned().map(Row::Process),
            RowKey::Instance(id) => self.instances.get(id).cloned().map(Row::Instance),
            RowKey::Node(name) => self.nodes.get(name).cloned().map(Row::Node),
            RowKey::Action(number) => self.actions.get(number).cloned().map(Row::Action),
            RowKey::Event(revision) => self.events.get(*revision).cloned().map(Row::Event),
            RowKey::Audit(number) => self.audit.get(*number).cloned().map(Row::Audit),
            RowKey::Reply(number) => self.replies.get(*number).cloned().map(Row::Reply),
            RowKey::Generation(name, number) => self.history.get(name, *number).cloned().map(Row::Generation),
            RowKey::Lineage(name) => self.history.lineage(name).cloned().map(Row::Lineage),
            RowKey::Member(id) => self.members.get(id).cloned().map(Row::Member),
            RowKey::Piece(number) => self.pieces.get(number).cloned().map(Row::Piece),
            RowKey::Inventory(node) => self.inventories.get(node).cloned().map(Row::Inventory),
            RowKey::Invitation(hash) => self.invitations.get(hash).cloned().map(Row::Invitation),
            RowKey::Runs(id) => self.runs.get(id).cloned().map(Row::Runs),
        }
    }

    /// Every row, kind by kind, each in the order of its keys.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        std::iter::once(Row::Meta(self.meta.clone().into()))
            .chain(self.processes.values().cloned().map(Row::Process))
            .chain(self.instances.values().cloned().map(Row::Instance))
            .chain(self.nodes.values().cloned().map(Row::Node))
            .chain(self.actions.values().cloned().map(Row::Action))
            .chain(self.events.values().cloned().map(Row::Event))
            .chain(self.audit.values().cloned().map(Row::Audit))
            .chain(self.replies.values().cloned().map(Row::Reply))
            .chain(self.history.generations().cloned().map(Row::Generation))
            .chain(self.history.lineages().cloned().map(Row::Lineage))
            .chain(self.members.values().cloned().map(Row::Member))
            .chain(self.pieces.values().cloned().map(Row::Piece))
            .chain(self.inventories.values().cloned().map(Row::Inventory))
            .chain(self.invitations.values().cloned().map(Row::Invitation))
            .chain(self.runs.values().cloned().map(Row::Runs))
    }
}

impl FromIterator<Row> for State {
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        let mut state = Self::default();
        rows.into_iter().for_each(|row| state.load(row));
        state
    }
}
