//! The ways in which rows come, change and go: each keeps what is found from
//! them right.

use super::State;
use crate::index::{Spot, Turn};
use crate::row::Row;
use crate::{Instance, Node, Process, StoredReply, action_number, dedupe};
use process_model::{Action, InstanceId, NodeName, ProcessName};
use std::sync::Arc;

impl State {
    /// Takes in a stored row, in any order.
    pub fn load(&mut self, row: Row) {
        match row {
            Row::Meta(meta) => self.meta = *meta,
            Row::Process(process) => self.put_process(process),
            Row::Instance(instance) => self.put_instance(instance),
            Row::Node(node) => self.put_node(node),
            Row::Action(action) => self.put_action(action_number(&action.id).unwrap_or(0), action),
            Row::Event(event) => self.events.insert(event.revision, event),
            Row::Audit(entry) => self.audit.insert(entry.number, entry),
            Row::Reply(reply) => self.put_reply(reply),
            Row::Generation(generation) => self.history.load_generation(generation),
            Row::Lineage(lineage) => self.history.load_lineage(lineage),
            Row::Member(member) => drop(self.members.insert(member.id, member)),
            Row::Piece(piece) => drop(self.pieces.insert(piece.number, piece)),
            Row::Inventory(inventory) => drop(self.inventories.insert(inventory.node.clone(), inventory)),
            Row::Invitation(one) => drop(self.invitations.insert(one.hash.clone(), one)),
            Row::Runs(runs) => drop(self.runs.insert(runs.instance.clone(), runs)),
        }
    }

    pub(crate) fn put_process(&mut self, process: Arc<Process>) {
        let name = process.spec.name.clone();
        let was = self.processes.insert(name.clone(), process.clone());
        self.index.process(&name, was.as_deref(), Some(&process));
    }

    pub(crate) fn remove_process(&mut self, name: &ProcessName) {
        let was = self.processes.remove(name);
        self.index.process(name, was.as_deref(), None);
    }

    pub(crate) fn put_instance(&mut self, instance: Arc<Instance>) {
        let (id, is) = (instance.id.clone(), Spot::from(&*instance));
        let was = self.instances.insert(id.clone(), instance);
        self.index.instance(&id, was.as_deref().map(Spot::from), Some(is));
    }

    pub(crate) fn remove_instance(&mut self, id: &InstanceId) -> Option<Arc<Instance>> {
        let was = self.instances.remove(id)?;
        self.index.instance(id, Some(Spot::from(&*was)), None);
        Some(was)
    }

    pub(crate) fn change_instance<T>(&mut self, id: &InstanceId, change: impl FnOnce(&mut Instance) -> T) -> Option<T> {
        let instance = Arc::make_mut(self.instances.get_mut(id)?);
        let was = Spot::from(&*instance);
        let result = change(instance);
        let is = Spot::from(&*instance);
        self.index.instance(id, Some(was), Some(is));
        Some(result)
    }

    pub(crate) fn put_node(&mut self, node: Arc<Node>) {
        let was = self.nodes.insert(node.name.clone(), node.clone());
        self.index.node(&node.name, was.as_deref(), Some(&node));
    }

    pub(crate) fn remove_node(&mut self, name: &NodeName) {
        let was = self.nodes.remove(name);
        self.index.node(name, was.as_deref(), None);
    }

    pub(crate) fn put_action(&mut self, number: u64, action: Arc<Action>) {
        let is = Turn::from(&*action);
        let was = self.actions.insert(number, action);
        self.index.action(number, was.as_deref().map(Turn::from), Some(is));
    }

    pub(crate) fn remove_action(&mut self, number: u64) {
        if let Some(was) = self.actions.remove(&number) {
            self.index.action(number, Some(Turn::from(&*was)), None);
        }
    }

    pub(crate) fn change_action<T>(&mut self, number: u64, change: impl FnOnce(&mut Action) -> T) -> Option<T> {
        let action = Arc::make_mut(self.actions.get_mut(&number)?);
        let was = Turn::from(&*action);
        let result = change(action);
        let is = Turn::from(&*action);
        self.index.action(number, Some(was), Some(is));
        Some(result)
    }

    pub(crate) fn put_reply(&mut self, reply: Arc<StoredReply>) {
        self.reply_by_request.insert((dedupe::hash(&reply.request_id), reply.number));
        self.replies.insert(reply.number, reply);
    }

    pub(crate) fn remove_reply(&mut self, number: u64) {
        if let Some(reply) = self.replies.remove(number) {
            self.reply_by_request.remove(&(dedupe::hash(&reply.request_id), number));
        }
    }
}
