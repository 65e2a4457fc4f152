//! A command at work: changes the state and notes which rows it touched and
//! which events it caused. Made only for commands that have been checked, so
//! there is no way back and none is needed.

use crate::row::{Change, RowKey};
use crate::{Header, Instance, Node, Process, State};
use process_model::{Event, EventDetail, InstanceId, NodeName, ProcessName, Timestamp};
use std::collections::BTreeSet;

/// A command at work.
pub(crate) struct Draft<'a> {
    pub(crate) header: Header,
    state: &'a mut State,
    touched: BTreeSet<RowKey>,
    events: Vec<Event>,
    orders_changed: bool,
}

/// An event before it has a revision. `time` and `actor` are the command's
/// unless said otherwise.
#[derive(Default)]
pub(crate) struct Fact {
    pub(crate) kind: String,
    pub(crate) time: Option<Timestamp>,
    pub(crate) process: Option<ProcessName>,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) node: Option<NodeName>,
    pub(crate) message: String,
    pub(crate) detail: Option<EventDetail>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(state: &'a mut State, header: Header) -> Self {
        Self { header, state, touched: BTreeSet::new(), events: Vec::new(), orders_changed: false }
    }

    pub(crate) fn state(&self) -> &State {
        self.state
    }

    /// For topics that keep their own rows (actions, audit, replies); they say
    /// which row they touch.
    pub(crate) fn touch(&mut self, key: RowKey) -> &mut State {
        self.touched.insert(key);
        self.state
    }

    /// Says that some node has something else to do than before.
    pub(crate) fn orders_change(&mut self) {
        self.orders_changed = true;
    }

    pub(crate) fn put_process(&mut self, process: Process) {
        let name = process.spec.name.clone();
        self.touch(RowKey::Process(name.clone())).processes.insert(name, process);
    }

    pub(crate) fn remove_process(&mut self, name: &ProcessName) {
        self.touch(RowKey::Process(name.clone())).processes.remove(name);
    }

    pub(crate) fn put_instance(&mut self, instance: Instance) {
        let id = instance.id.clone();
        self.touch(RowKey::Instance(id.clone())).instances.insert(id, instance);
    }

    pub(crate) fn remove_instance(&mut self, id: &InstanceId) -> Option<Instance> {
        self.touch(RowKey::Instance(id.clone())).instances.remove(id)
    }

    pub(crate) fn instance_mut(&mut self, id: &InstanceId) -> Option<&mut Instance> {
        self.touched.insert(RowKey::Instance(id.clone()));
        self.state.instances.get_mut(id)
    }

    pub(crate) fn put_node(&mut self, node: Node) {
        let name = node.name.clone();
        self.touch(RowKey::Node(name.clone())).nodes.insert(name, node);
    }

    /// The revision that the next event gets.
    pub(crate) fn next_revision(&self) -> u64 {
        self.state.meta.revision + 1
    }

    /// Records an event and returns its revision; the oldest event goes when
    /// there are too many.
    pub(crate) fn emit(&mut self, fact: Fact) -> u64 {
        let revision = self.next_revision();
        let event = Event {
            revision,
            time: fact.time.unwrap_or(self.header.time),
            kind: fact.kind,
            process: fact.process.or_else(|| fact.instance.as_ref().map(|id| id.process.clone())),
            instance: fact.instance,
            node: fact.node,
            message: fact.message,
            actor: self.header.actor.clone(),
            detail: fact.detail,
        };
        self.touch(RowKey::Meta).meta.revision = revision;
        self.touch(RowKey::Event(revision)).events.insert(revision, event.clone());
        self.events.push(event);
        self.trim_events();
        revision
    }

    pub(crate) fn trim_events(&mut self) {
        while self.state.events.len() as u64 > self.state.meta.event_retention {
            let Some((oldest, _)) = self.state.events.pop_first() else { return };
            self.touched.insert(RowKey::Event(oldest));
        }
    }

    /// An event about an instance as it is now.
    pub(crate) fn emit_instance(&mut self, kind: &str, id: &InstanceId, message: impl Into<String>) {
        let Some(instance) = self.state.instances.get(id) else { return };
        let fact = Fact {
            kind: kind.to_owned(),
            instance: Some(id.clone()),
            node: instance.node.clone(),
            message: message.into(),
            detail: Some(EventDetail::Instance(instance.detail(None, Vec::new()))),
            ..Fact::default()
        };
        self.emit(fact);
    }

    /// The events, the changed rows, and whether some node has something else
    /// to do.
    pub(crate) fn finish(self) -> (Vec<Event>, Vec<Change>, bool) {
        let changes = self
            .touched
            .into_iter()
            .map(|key| match self.state.row(&key) {
                Some(row) => Change::Put(Box::new(row)),
                None => Change::Remove(key),
            })
            .collect();
        (self.events, changes, self.orders_changed)
    }
}
