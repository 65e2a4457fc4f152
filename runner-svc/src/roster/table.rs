//! The instances of a node, and what each was told last.

use super::Unreadable;
use crate::instance::{Handle, Message};
use crate::mailbox;
use process_model::spec::Dependency;
use process_model::{Assignment, Elsewhere, InstanceId, Plan, ProcessName, ProcessSpec};
use runner_domain::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// An instance, from the roster's side.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) handle: Handle,
    /// The assignment that it was sent last; `None`: that it has to go. Not
    /// what it has taken in: that may be an older one.
    pub(super) sent: Option<Arc<Assignment>>,
    /// The generation that has to go, once it was told so.
    pub(super) goes: u64,
    /// The generation that has to go too, when that was said while it went.
    pub(super) again: Option<u64>,
    /// What it is told once those that depend on it are at rest; `None`: it is
    /// told everything at once.
    pub(super) withheld: Option<Vec<Message>>,
    /// Whether that is because of others on this node.
    pub(super) awaits_turn: bool,
    /// Whether that is because of others on other nodes, and which time it is.
    pub(super) held: Option<u64>,
}

impl Entry {
    pub(super) fn new(handle: Handle, sent: Option<Arc<Assignment>>) -> Self {
        Self { handle, sent, goes: 0, again: None, withheld: None, awaits_turn: false, held: None }
    }

    /// Whether it should run.
    pub(super) fn is_wanted(&self) -> bool {
        self.sent.as_ref().is_some_and(|assignment| assignment.wanted)
    }

    fn tell(&mut self, message: Message) -> bool {
        match &mut self.withheld {
            Some(withheld) => {
                withheld.push(message);
                !self.handle.inbox.is_closed()
            }
            None => self.handle.inbox.send(message).is_ok(),
        }
    }

    /// It is wanted again before it was told to stop: it hears nothing of that
    /// stop, or it would begin with it.
    fn forget_stop(&mut self) {
        let is_stop = |message: &Message| match message {
            Message::Input(input) => matches!(&**input, Input::Assigned(assignment) if !assignment.wanted),
            Message::Order(..) | Message::Resolved(..) | Message::TellAgain => false,
        };
        self.withheld.iter_mut().for_each(|withheld| withheld.retain(|message| !is_stop(message)));
    }

    /// It is stopped once those on this node are at rest that depend on it.
    pub(super) fn wait_for_turn(&mut self) {
        self.awaits_turn = true;
        self.withheld.get_or_insert_default();
    }

    /// Nobody on this node has to be waited for any more.
    pub(super) fn comes_to_turn(&mut self) {
        self.awaits_turn = false;
        if self.held.is_none() {
            self.release();
        }
    }

    /// It is stopped once those on other nodes have ended that depend on it.
    pub(super) fn hold(&mut self, time: u64) {
        self.held = Some(time);
        self.withheld.get_or_insert_default();
    }

    /// Nobody on another node has to be waited for any more.
    pub(super) fn let_go(&mut self) {
        self.held = None;
        if !self.awaits_turn {
            self.release();
        }
    }

    /// Tells it what was withheld, in order, whoever should be waited for.
    pub(super) fn release(&mut self) {
        (self.awaits_turn, self.held) = (false, None);
        for message in self.withheld.take().into_iter().flatten() {
            // A task that has ended needs to hear nothing more; its successor was told anew.
            let _ = self.handle.inbox.send(message);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) entries: BTreeMap<InstanceId, Entry>,
    /// Instances whose last assignment could not be read.
    pub(super) unreadable: BTreeMap<InstanceId, Unreadable>,
    /// Where schedules stood when the last runner wrote, or on the node before;
    /// taken out by whoever follows the schedules.
    pub(super) plans: BTreeMap<InstanceId, Plan>,
    /// How what is depended on stands on other nodes, as was last said.
    pub(super) elsewhere: BTreeMap<Dependency, Elsewhere>,
    /// Lines that others, on other nodes, wait for.
    pub(super) watched: BTreeMap<ProcessName, BTreeSet<String>>,
    /// Whose stop waits for others, on other nodes, and for how long at most.
    pub(super) held: BTreeMap<InstanceId, Duration>,
    /// Counts the times that a stop was held.
    pub(super) holds: u64,
}

impl Table {
    /// True when there is such an instance.
    pub(super) fn tell(&mut self, instance: &InstanceId, message: Message) -> bool {
        self.entries.get_mut(instance).is_some_and(|entry| entry.tell(message))
    }

    /// What an instance that is here already was told of its plan: it has its
    /// own by now, and what else is said of it is no news.
    pub(super) fn keep_plan(&self, assignment: &mut Assignment) {
        let sent = self.entries.get(&assignment.instance).and_then(|entry| entry.sent.as_ref());
        if let Some(sent) = sent {
            assignment.plan = sent.plan;
        }
    }

    /// The spec that an instance was sent of this generation, with what its type
    /// had added.
    pub(super) fn spec_of(&self, assignment: &Assignment) -> Option<Arc<ProcessSpec>> {
        let sent = self.entries.get(&assignment.instance)?.sent.as_ref()?;
        (sent.generation == assignment.generation).then(|| sent.spec.clone())
    }

    /// Whether the instance was told just this.
    pub(super) fn has(&self, assignment: &Assignment) -> bool {
        self.entries.get(&assignment.instance).is_some_and(|entry| entry.sent.as_deref() == Some(assignment))
    }

    /// True when there is such an instance.
    pub(super) fn assign(&mut self, assignment: &Arc<Assignment>) -> bool {
        self.unreadable.remove(&assignment.instance);
        let Some(entry) = self.entries.get_mut(&assignment.instance) else { return false };
        let before = entry.sent.replace(assignment.clone());
        if assignment.wanted {
            entry.forget_stop();
        }
        let told = entry.tell(Input::Assigned(assignment.clone()).into());
        // Another placement of what is here already: it knows nothing of this one yet.
        if before.is_some_and(|before| before.fencing_token != assignment.fencing_token) {
            entry.tell(Message::TellAgain);
        }
        if assignment.wanted {
            // It is not to be stopped any more, so there is nothing to wait with.
            entry.release();
        }
        told
    }

    /// True when there is such an instance; it goes, or is going already.
    pub(super) fn dismiss(&mut self, instance: &InstanceId, generation: u64) -> bool {
        self.unreadable.remove(instance);
        self.plans.remove(instance);
        match self.entries.get_mut(instance) {
            Some(entry) => match entry.sent.take() {
                Some(sent) => {
                    (entry.goes, entry.again) = (generation.max(sent.generation), None);
                    entry.tell(Input::Unassigned.into())
                }
                None => {
                    entry.again = Some(generation);
                    true
                }
            },
            None => false,
        }
    }

    /// Which of those that should run now are to be stopped.
    pub(super) fn stops(&self, go: &[(InstanceId, u64)], news: &[Arc<Assignment>]) -> BTreeSet<InstanceId> {
        let unwanted = news.iter().filter(|assignment| !assignment.wanted).map(|assignment| &assignment.instance);
        let runs = |instance: &&InstanceId| self.entries.get(*instance).is_some_and(Entry::is_wanted);
        go.iter().map(|(instance, _)| instance).chain(unwanted).filter(runs).cloned().collect()
    }

    /// Takes the entry of an instance out whose task has ended, unless it is
    /// another one's by now.
    pub(super) fn remove(&mut self, instance: &InstanceId, inbox: &mailbox::Receiver<Message>) -> Option<Entry> {
        let is_it = self.entries.get(instance).is_some_and(|entry| inbox.is_of(&entry.handle.inbox));
        if is_it { self.entries.remove(instance) } else { None }
    }

    /// The instances that are not among `stay`.
    pub(super) fn others(&self, stay: &BTreeSet<InstanceId>) -> Vec<InstanceId> {
        self.entries.keys().filter(|id| !stay.contains(id)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Seen;
    use crate::latest::{self, latest};
    use process_model::spec::Command;
    use runner_domain::Machine;

    fn assignment(generation: u64) -> Arc<Assignment> {
        let spec = ProcessSpec::new("web".parse().unwrap(), Command::Shell("true".into()));
        Arc::new(Assignment {
            instance: InstanceId::new(spec.name.clone(), 1),
            generation,
            spec: Arc::new(spec),
            wanted: true,
            restart_count: 0,
            traceparent: String::new(),
            fencing_token: 0,
            plan: None,
        })
    }

    /// A table with an instance that takes nothing in.
    fn table(first: &Arc<Assignment>) -> (Table, mailbox::Receiver<Message>, latest::Sender<Seen>) {
        let view = Machine::new(first.clone()).view();
        let (seen, seen_rx) =
            latest(Seen { assignment: first.clone(), view, containment: Arc::default(), gone: false });
        let (inbox, outgoing) = mailbox::mailbox();
        let entry = Entry::new(Handle { inbox, seen: seen_rx }, Some(first.clone()));
        let mut table = Table::default();
        table.entries.insert(first.instance.clone(), entry);
        (table, outgoing, seen)
    }

    #[test]
    fn an_assignment_is_compared_with_what_was_sent_not_with_what_was_taken_in() {
        let (a, b) = (assignment(1), assignment(2));
        let (mut table, mut inbox, _seen) = table(&a);
        assert!(table.has(&a));
        for next in [&b, &a] {
            assert!(!table.has(next));
            assert!(table.assign(next));
        }
        let mut last = None;
        while let Some(Message::Input(input)) = inbox.try_recv() {
            last = Some(*input);
        }
        assert_eq!(last, Some(Input::Assigned(a)));
    }

    #[test]
    fn an_instance_that_goes_is_told_once_and_can_be_assigned_anew() {
        let a = assignment(1);
        let (mut table, mut inbox, _seen) = table(&a);
        assert!(table.dismiss(&a.instance, 1) && table.dismiss(&a.instance, 1));
        assert!(matches!(inbox.try_recv(), Some(Message::Input(_))));
        assert!(inbox.try_recv().is_none());
        assert!(!table.has(&a), "it would stay away");
        assert!(!table.dismiss(&"api-1".parse().unwrap(), 1));
    }

    #[test]
    fn what_is_withheld_is_told_in_order_at_last_and_no_stop_once_it_is_wanted_again() {
        let a = assignment(1);
        let stopped = Arc::new(Assignment { wanted: false, ..Assignment::clone(&a) });
        for wanted_again in [false, true] {
            let (mut table, mut inbox, _seen) = table(&a);
            table.entries.get_mut(&a.instance).unwrap().withheld = Some(Vec::new());
            assert!(table.assign(&stopped) && table.tell(&a.instance, Input::ReloadAsked.into()));
            assert!(inbox.try_recv().is_none());
            if wanted_again {
                assert!(table.assign(&a));
            } else {
                table.entries.get_mut(&a.instance).unwrap().release();
            }
            let mut told = Vec::new();
            while let Some(Message::Input(input)) = inbox.try_recv() {
                told.push(*input);
            }
            let expected = if wanted_again {
                // A task that heard of the stop might have begun with it.
                [Input::ReloadAsked, Input::Assigned(a.clone())]
            } else {
                [Input::Assigned(stopped.clone()), Input::ReloadAsked]
            };
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn the_end_of_a_task_takes_no_successor_out() {
        let a = assignment(1);
        let (mut table, inbox, _seen) = table(&a);
        let (_other, other) = mailbox::mailbox();
        assert!(table.remove(&a.instance, &other).is_none());
        assert!(table.remove(&a.instance, &inbox).is_some());
    }
}
