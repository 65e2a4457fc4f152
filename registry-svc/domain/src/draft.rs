//! A command at work: changes the state and notes which rows it touched, which
//! events it caused, and which nodes have something else to do. Topics check
//! a command before they change anything, so there is no way back and none is
//! needed.

use crate::row::RowKey;
use crate::{Header, Instance, Node, Outcome, Process, Refusal, Reply, State};
use process_model::{Action, Event, EventDetail, InstanceId, NodeName, ProcessName, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A command at work.
pub(crate) struct Draft<'a> {
    pub(crate) header: Header,
    state: &'a mut State,
    touched: Vec<RowKey>,
    events: Vec<Arc<Event>>,
    orders: BTreeSet<NodeName>,
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

/// What a node acts on. When it differs, the node has to be told.
#[derive(PartialEq)]
struct Orders {
    node: Option<NodeName>,
    generation: u64,
    wanted: bool,
    restart_count: u64,
    removing: bool,
}

impl From<&Instance> for Orders {
    fn from(instance: &Instance) -> Self {
        let Instance {
            id: _,
            wanted,
            restart_count,
            traceparent: _,
            node,
            generation,
            removing,
            seen: _,
            lost_since: _,
            born: _,
            token: _,
            left: _,
            reserved: _,
            unfit: _,
            moving: _,
            handover: _,
            // For a node that is new to it: one that has it has its own.
            plan: _,
            stops_after: _,
        } = instance;
        let (wanted, restart_count, generation, removing) = (*wanted, *restart_count, *generation, *removing);
        Self { node: node.clone(), generation, wanted, restart_count, removing }
    }
}

impl<'a> Draft<'a> {
    pub(crate) fn new(state: &'a mut State, header: Header) -> Self {
        // Most commands touch about so many rows.
        Self { header, state, touched: Vec::with_capacity(24), events: Vec::new(), orders: BTreeSet::new() }
    }

    pub(crate) fn state(&self) -> &State {
        self.state
    }

    /// For topics that keep their own rows (settings, audit, replies); they
    /// say which row they touch.
    pub(crate) fn touch(&mut self, key: RowKey) -> &mut State {
        self.touched.push(key);
        self.state
    }

    pub(crate) fn put_process(&mut self, process: Process) {
        let name = process.spec.name.clone();
        self.touch(RowKey::Process(name)).put_process(process.into());
    }

    pub(crate) fn remove_process(&mut self, name: &ProcessName) {
        self.touch(RowKey::Process(name.clone())).remove_process(name);
    }

    pub(crate) fn put_instance(&mut self, instance: Instance) {
        self.orders.extend(instance.node.clone());
        self.touch(RowKey::Instance(instance.id.clone())).put_instance(instance.into());
    }

    pub(crate) fn remove_instance(&mut self, id: &InstanceId) -> Option<Arc<Instance>> {
        let removed = self.touch(RowKey::Instance(id.clone())).remove_instance(id)?;
        self.orders.extend(removed.node.clone());
        Some(removed)
    }

    /// Changes an instance; its node is told when that is something to act on.
    pub(crate) fn change_instance<T>(&mut self, id: &InstanceId, change: impl FnOnce(&mut Instance) -> T) -> Option<T> {
        let (was, is, result) = self.touch(RowKey::Instance(id.clone())).change_instance(id, |instance| {
            let was = Orders::from(&*instance);
            let result = change(instance);
            (was, Orders::from(&*instance), result)
        })?;
        if was != is {
            self.orders.extend(was.node.into_iter().chain(is.node));
        }
        Some(result)
    }

    pub(crate) fn put_node(&mut self, node: Node) {
        self.touch(RowKey::Node(node.name.clone())).put_node(node.into());
    }

    /// A node is forgotten; its session has to end.
    pub(crate) fn remove_node(&mut self, name: &NodeName) {
        self.orders.insert(name.clone());
        self.touch(RowKey::Node(name.clone())).remove_node(name);
        if self.state.inventories.contains_key(name) {
            self.touch(RowKey::Inventory(name.clone())).inventories.remove(name);
        }
    }

    /// A new action; its node has to be told of it.
    pub(crate) fn put_action(&mut self, number: u64, action: Action) {
        self.orders.extend(action.node.clone());
        self.touch(RowKey::Action(number)).put_action(number, action.into());
    }

    /// Changes an action. That its node has to be told follows from a change
    /// of the node only: what is over is no order any more.
    pub(crate) fn change_action(&mut self, number: u64, change: impl FnOnce(&mut Action)) {
        let nodes = self.touch(RowKey::Action(number)).change_action(number, |action| {
            let was = action.node.clone();
            change(action);
            (was, action.node.clone())
        });
        if let Some((was, is)) = nodes
            && was != is
        {
            self.orders.extend(is);
        }
    }

    pub(crate) fn remove_action(&mut self, number: u64) {
        self.touch(RowKey::Action(number)).remove_action(number);
    }

    /// The revision that the next event gets.
    pub(crate) fn next_revision(&self) -> u64 {
        self.state.meta.revision + 1
    }

    /// Records an event and returns its revision; the oldest event goes when
    /// there are too many.
    pub(crate) fn emit(&mut self, fact: Fact) -> u64 {
        let revision = self.next_revision();
        let event = Arc::new(Event {
            revision,
            time: fact.time.unwrap_or(self.header.time),
            kind: fact.kind,
            process: fact.process.or_else(|| fact.instance.as_ref().map(|id| id.process.clone())),
            instance: fact.instance,
            node: fact.node,
            message: fact.message,
            actor: self.header.actor.clone(),
            detail: fact.detail,
        });
        self.touch(RowKey::Meta).meta.revision = revision;
        self.touch(RowKey::Event(revision)).events.insert(revision, event.clone());
        self.events.push(event);
        self.trim_events();
        revision
    }

    pub(crate) fn trim_events(&mut self) {
        while self.state.events.len() as u64 > self.state.meta.event_retention {
            let Some((oldest, _)) = self.state.events.first() else { return };
            self.state.events.remove(oldest);
            self.touched.push(RowKey::Event(oldest));
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

    /// Puts another state in the place of this one: every row of either is
    /// touched, and every node of either is concerned.
    pub(crate) fn replace(&mut self, state: State) {
        for one in [&*self.state, &state] {
            self.touched.extend(one.rows().map(|row| row.key()));
            self.orders.extend(one.nodes.keys().cloned());
        }
        *self.state = state;
    }

    /// Every node has to look anew at what it has to do.
    pub(crate) fn tell_everybody(&mut self) {
        self.orders.extend(self.state.nodes.keys().cloned());
    }

    /// The end of a command.
    pub(crate) fn finish(mut self, reply: Result<Reply, Refusal>) -> Outcome {
        self.touched.sort_unstable();
        self.touched.dedup();
        Outcome { reply, events: self.events, touched: self.touched, orders: self.orders }
    }
}
