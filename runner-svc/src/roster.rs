//! Which instances there are: turns assignment updates into inputs of
//! instance tasks.
//!
//! Whatever changes that is done under one lock: telling an instance, and
//! taking note that its task has ended. So nothing is told to a task that will
//! not hear it, and the journal has things in the order in which they were
//! told.

mod table;
mod update;

pub(crate) use update::{Unreadable, Update};

use crate::clock;
use crate::instance::{Deps, Handle, Instance, Message, Origin, Seen};
use process_model::{
    ActionReport, ActionState, Assignment, InstanceId, InstanceReport, Phase, ProcessSpec, event_type,
};
use runner_domain::{Input, Order};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use table::{Entry, Table};
use tokio::sync::{mpsc, watch};

/// Cheap handle.
#[derive(Clone)]
pub(crate) struct Roster {
    deps: Deps,
    table: Arc<Mutex<Table>>,
    /// Grows when an instance comes or goes.
    changes: watch::Sender<u64>,
    /// True once the runner takes its instances down: nothing new is started.
    held: Arc<std::sync::atomic::AtomicBool>,
}

impl Roster {
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, table: Arc::default(), changes: watch::Sender::new(0), held: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an instance over from the journal.
    pub(crate) fn restore(&self, assignment: Assignment, origin: Origin) {
        self.begin(&mut self.lock(), assignment, origin);
        self.changed();
    }

    /// What belongs here now.
    pub(crate) fn assign(&self, mut update: Update) {
        self.complete(&mut update.set);
        let mut table = self.lock();
        let mut go = update.removed;
        if update.full {
            let stay: BTreeSet<InstanceId> = update
                .set
                .iter()
                .map(|a| &a.instance)
                .chain(update.unreadable.iter().map(|u| &u.instance))
                .cloned()
                .collect();
            go.extend(table.others(&stay));
            table.unreadable.retain(|id, _| stay.contains(id));
        }
        for instance in go {
            if !table.dismiss(&instance) {
                // The registry waits to hear that it is gone, even if it never was here.
                self.deps.journal.gone(&instance);
            }
        }
        // Said before: saying it again wakes nobody.
        let news: Vec<Assignment> = update.set.into_iter().filter(|assignment| !table.has(assignment)).collect();
        self.deps.journal.assigned(&news);
        for assignment in news {
            if !table.assign(&assignment) {
                self.begin(&mut table, assignment, Origin::New);
            }
        }
        for unreadable in update.unreadable {
            self.refuse(&mut table, unreadable);
        }
        drop(table);
        self.changed();
    }

    /// Adds what the types say here, where the specs say nothing themselves.
    /// Instances of a process come one after the other and go on sharing one
    /// spec.
    fn complete(&self, set: &mut [Assignment]) {
        let mut last: Option<(Arc<ProcessSpec>, Arc<ProcessSpec>)> = None;
        for assignment in set {
            let complete = match &last {
                Some((plain, complete)) if Arc::ptr_eq(plain, &assignment.spec) => complete.clone(),
                Some(_) | None => match self.deps.surroundings.types.complete(&assignment.spec) {
                    Some(spec) => Arc::new(spec),
                    None => continue,
                },
            };
            let plain = std::mem::replace(&mut assignment.spec, complete.clone());
            last = Some((plain, complete));
        }
    }

    fn begin(&self, table: &mut Table, assignment: Assignment, origin: Origin) {
        if self.held.load(std::sync::atomic::Ordering::SeqCst) {
            return;
        }
        let id = assignment.instance.clone();
        let goes = matches!(&origin, Origin::Restored(restored) if restored.memo.removing);
        let sent = if goes { None } else { Some(assignment.clone()) };
        let (instance, handle) = Instance::new(self.deps.clone(), assignment, origin);
        let seen = handle.seen.clone();
        table.entries.insert(id.clone(), Entry { handle, sent });
        let roster = self.clone();
        tokio::spawn(async move {
            let unread = instance.run().await;
            roster.ended(&id, &seen, unread);
        });
    }

    /// Nothing is left of an instance; what it did not read any more is done
    /// here, or by its successor.
    fn ended(&self, id: &InstanceId, seen: &watch::Receiver<Seen>, mut unread: mpsc::UnboundedReceiver<Message>) {
        let mut table = self.lock();
        let Some(entry) = table.remove(id, seen) else { return };
        let mut orders = Vec::new();
        let mut dismissed = false;
        while let Ok(message) = unread.try_recv() {
            match message {
                Message::Order(order, stop_timeout) => orders.push((order, stop_timeout)),
                Message::Input(input) => dismissed |= *input == Input::Unassigned,
            }
        }
        match entry.sent {
            Some(assignment) => {
                // Once more: the task has journalled that it forgot the instance, perhaps after this was journalled.
                self.deps.journal.assigned(std::slice::from_ref(&assignment));
                self.begin(&mut table, assignment, Origin::New);
            }
            // Assigned and dismissed again while it went: the registry waits to hear of the second time, too.
            None if dismissed => self.deps.journal.gone(id),
            None => {}
        }
        for (order, stop_timeout) in orders {
            self.pass(&table, id, *order, stop_timeout);
        }
        drop(table);
        self.changed();
    }

    /// Reports an assignment that cannot be read, once. What runs goes on.
    fn refuse(&self, table: &mut Table, unreadable: Unreadable) {
        if table.unreadable.get(&unreadable.instance) == Some(&unreadable) {
            return;
        }
        let Unreadable { instance, generation, why } = &unreadable;
        tracing::error!(%instance, generation, why, "cannot read an assignment; the instance stays as it is");
        let view = table.entries.get(instance).map(|entry| entry.handle.seen.borrow().view.clone());
        self.deps.journal.report(InstanceReport {
            instance: instance.clone(),
            seq: 0,
            generation: *generation,
            event_type: event_type::INSTANCE_START_FAILED.to_owned(),
            time: clock::wall(),
            phase: view.as_ref().map_or(Phase::Failed, |view| view.phase),
            ready: view.as_ref().is_some_and(|view| view.ready),
            pid: view.as_ref().map_or(0, |view| view.pid),
            restarts: view.as_ref().map_or(0, |view| view.restarts),
            last_exit: view.as_ref().and_then(|view| view.last_exit.clone()),
            started: view.as_ref().and_then(|view| view.started),
            message: unreadable.to_string(),
            next_restart: view.and_then(|view| view.next_restart),
            gone: false,
        });
        table.unreadable.insert(instance.clone(), unreadable);
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// An action; it fails when there is no such instance.
    pub(crate) fn order(&self, instance: &InstanceId, order: Order, stop_timeout: Option<Duration>) {
        self.pass(&self.lock(), instance, order, stop_timeout);
    }

    fn pass(&self, table: &Table, instance: &InstanceId, order: Order, stop_timeout: Option<Duration>) {
        let action = order.action.clone();
        if let Some(unreadable) = table.unreadable.get(instance) {
            // Its assignment never comes, and the action would wait for it.
            self.fail(action, unreadable.to_string());
        } else if !table.tell(instance, Message::Order(Box::new(order), stop_timeout)) {
            self.fail(action, format!("instance {instance} is not on this node"));
        }
    }

    /// Reports that an action cannot be carried out.
    pub(crate) fn fail(&self, action: String, message: String) {
        self.deps.journal.action(ActionReport { action, state: ActionState::Failed, message, time: clock::wall() });
    }

    /// What every instance is now.
    pub(crate) fn seen(&self) -> Vec<(InstanceId, Seen)> {
        self.lock().entries.iter().map(|(id, entry)| (id.clone(), entry.handle.seen.borrow().clone())).collect()
    }

    /// What one instance is now.
    pub(crate) fn seen_of(&self, instance: &InstanceId) -> Option<Seen> {
        self.lock().entries.get(instance).map(|entry| entry.handle.seen.borrow().clone())
    }

    /// Changes when an instance comes or goes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Stops everything, though it stays wanted; waits until all is at rest or
    /// cannot be stopped. Bounded by each instance's stop sequence.
    pub(crate) async fn hold(&self) {
        self.held.store(true, std::sync::atomic::Ordering::SeqCst);
        let handles: Vec<Handle> = self.lock().entries.values().map(|entry| entry.handle.clone()).collect();
        for handle in &handles {
            let _ = handle.inbox.send(Input::Held.into());
        }
        for mut handle in handles {
            let _ = handle.seen.wait_for(|seen| seen.gone || seen.view.phase.is_at_rest()).await;
        }
    }

    /// Stops that are going on wait no longer.
    pub(crate) fn hurry(&self) {
        for entry in self.lock().entries.values() {
            let _ = entry.handle.inbox.send(Input::StopTimeoutGiven(Duration::ZERO).into());
        }
    }
}
