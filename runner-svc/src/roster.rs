//! Which instances there are: turns assignment updates into inputs of
//! instance tasks.
//!
//! Whatever changes that is done under one lock: telling an instance, and
//! taking note that its task has ended. So nothing is told to a task that will
//! not hear it, and the journal has things in the order in which they were
//! told.

mod inventory;
mod leases;
mod neighbours;
mod stopping;
mod table;
mod timetables;
mod update;
mod waits;

pub(crate) use neighbours::{NeighbourNews, SeenLines};
pub(crate) use update::{Unreadable, Update};

use crate::clock;
use crate::instance::{Deps, Instance, Message, Origin, Seen};
use crate::io::keeper_link::KeeperHealth;
use crate::io::program::Surroundings;
use crate::mailbox;
use crate::metrics::Counters;
use process_model::{
    ActionReport, ActionState, Assignment, InstanceId, InstanceReport, Phase, ProcessSpec, event_type,
};
use runner_domain::{Input, Order};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use table::{Entry, Table};
use tokio::sync::watch;

/// Cheap handle: each instance's task has one.
#[derive(Debug, Clone)]
pub(crate) struct Roster(Arc<Shared>);

/// What the handles are on.
#[derive(Debug)]
pub(crate) struct Shared {
    deps: Arc<Deps>,
    table: Mutex<Table>,
    /// Grows when an instance comes or goes.
    changes: watch::Sender<u64>,
    /// True once the runner takes its instances down: nothing new is started.
    held: AtomicBool,
    /// True once nothing that is stopped gets time any more.
    hurried: AtomicBool,
    /// Follows dependencies, once there are any.
    waits: OnceLock<()>,
    /// Lines that were seen of those that others, on other nodes, wait for.
    lines: watch::Sender<SeenLines>,
    /// Follows schedules, once there are any.
    timetables: OnceLock<()>,
    /// Follows leases, once there are singletons.
    leases: OnceLock<()>,
}

impl Deref for Roster {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Roster {
    pub(crate) fn new(deps: Deps) -> Self {
        Self(Arc::new(Shared {
            deps: Arc::new(deps),
            table: Mutex::default(),
            changes: watch::Sender::new(0),
            held: AtomicBool::default(),
            hurried: AtomicBool::default(),
            waits: OnceLock::default(),
            lines: watch::Sender::default(),
            timetables: OnceLock::default(),
            leases: OnceLock::default(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    /// Takes an instance over from the journal.
    pub(crate) fn restore(&self, assignment: Arc<Assignment>, origin: Origin) {
        let mut table = self.lock();
        if let Origin::Restored(restored) = &origin {
            timetables::recall(&mut table, &assignment, restored);
        }
        self.begin(&mut table, assignment, origin);
        drop(table);
        self.changed();
    }

    /// Has somebody follow what an assignment has that few have.
    fn follow(&self, spec: &ProcessSpec) {
        if !spec.depends_on.is_empty() {
            self.follow_dependencies();
        }
        if spec.schedule.is_some() {
            self.timetables.get_or_init(|| drop(tokio::spawn(timetables::run(self.clone()))));
        }
        if spec.singleton.is_some() {
            let lease = self.deps.lease.clone();
            self.leases.get_or_init(|| drop(tokio::spawn(leases::run(self.clone(), lease))));
        }
    }

    /// What belongs here now.
    pub(crate) fn assign(&self, mut update: Update) {
        self.complete(&mut update.set);
        let mut table = self.lock();
        for assignment in &mut update.set {
            table.keep_plan(assignment);
            // What a plugin had added stays until it is asked anew: this runner may not have asked it yet.
            if self.deps.surroundings.types.is_unasked(&assignment.spec)
                && let Some(spec) = table.spec_of(assignment)
            {
                assignment.spec = spec;
            }
        }
        let mut go = update.removed;
        if update.full {
            let stay: BTreeSet<InstanceId> = update
                .set
                .iter()
                .map(|a| &a.instance)
                .chain(update.unreadable.iter().map(|u| &u.instance))
                .cloned()
                .collect();
            go.extend(table.others(&stay).into_iter().map(|id| (id, 0)));
            table.unreadable.retain(|id, _| stay.contains(id));
        }
        // Said before: saying it again wakes nobody.
        let news = update.set.into_iter().filter(|assignment| !table.has(assignment));
        let news: Vec<Arc<Assignment>> = news.map(Arc::new).collect();
        let stops = table.stops(&go, &news);
        let holds = table.hold_back(&stops);
        let steps = table.withhold(stops);
        for (instance, generation) in go {
            if !table.dismiss(&instance, generation) {
                // The registry waits to hear that it is gone, even if it never was here.
                self.deps.journal.gone(&instance, generation);
            }
        }
        self.deps.journal.assigned(&news);
        for assignment in news {
            self.follow(&assignment.spec);
            if !table.assign(&assignment) {
                self.begin(&mut table, assignment, Origin::New);
            }
        }
        for unreadable in update.unreadable {
            self.refuse(&mut table, unreadable);
        }
        drop(table);
        self.changed();
        self.bound(holds);
        if let Some(steps) = steps {
            tokio::spawn(self.clone().stop_in_steps(steps));
        }
    }

    fn follow_dependencies(&self) {
        self.waits.get_or_init(|| drop(tokio::spawn(waits::run(self.clone()))));
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

    fn begin(&self, table: &mut Table, assignment: Arc<Assignment>, origin: Origin) {
        if self.is_held() {
            return;
        }
        self.follow(&assignment.spec);
        if let Origin::New = &origin {
            timetables::take_over(table, &assignment);
        }
        let id = assignment.instance.clone();
        let goes = matches!(&origin, Origin::Restored(restored) if restored.memo.removing);
        let sent = if goes { None } else { Some(assignment.clone()) };
        let (instance, handle) = Instance::new(self.deps.clone(), assignment, origin);
        table.entries.insert(id, Entry::new(handle, sent));
        let roster = self.clone();
        tokio::spawn(async move {
            let (id, unread) = instance.run().await;
            roster.ended(&id, unread);
        });
    }

    /// Nothing is left of an instance; what it did not read any more is done
    /// here, or by its successor.
    fn ended(&self, id: &InstanceId, mut unread: mailbox::Receiver<Message>) {
        let mut table = self.lock();
        let Some(entry) = table.remove(id, &unread) else { return };
        self.deps.counters.gone(id);
        let mut orders = Vec::new();
        let mut dismissed = false;
        let unread = std::iter::from_fn(|| unread.try_recv());
        for message in unread.chain(entry.withheld.into_iter().flatten()) {
            match message {
                Message::Order(order, stop_timeout) => orders.push((order, stop_timeout)),
                Message::Input(input) => dismissed |= *input == Input::Unassigned,
                // Of a start that is over; and that it is gone was told.
                Message::Resolved(..) | Message::TellAgain => {}
            }
        }
        match entry.sent {
            Some(assignment) => {
                // Once more: the task has journalled that it forgot the instance, perhaps after this was journalled.
                self.deps.journal.assigned(std::slice::from_ref(&assignment));
                self.begin(&mut table, assignment, Origin::New);
            }
            // Assigned and dismissed again while it went: the registry waits to hear of the second time, too.
            None if dismissed || entry.again.is_some() => {
                self.deps.journal.gone(id, entry.goes.max(entry.again.unwrap_or(0)));
            }
            None => {}
        }
        for (order, stop_timeout) in orders {
            self.pass(&mut table, id, *order, stop_timeout);
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
        let seen = table.entries.get(instance).map(|entry| entry.handle.seen.borrow().clone());
        let containment = seen.as_ref().map(|seen| seen.containment.to_string()).unwrap_or_default();
        let view = seen.map(|seen| seen.view);
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
            next_restart: view.as_ref().and_then(|view| view.next_restart),
            gone: false,
            containment,
            status: view.map(|view| view.status).unwrap_or_default(),
            log_lines: Vec::new(),
        });
        table.unreadable.insert(instance.clone(), unreadable);
    }

    /// Has every instance report what it is.
    pub(crate) fn tell_again(&self) {
        for entry in self.lock().entries.values() {
            // One whose task has ended has told that it is gone.
            let _ = entry.handle.inbox.send(Message::TellAgain);
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// An action; it fails when there is no such instance.
    pub(crate) fn order(&self, instance: &InstanceId, order: Order, stop_timeout: Option<Duration>) {
        self.pass(&mut self.lock(), instance, order, stop_timeout);
    }

    fn pass(&self, table: &mut Table, instance: &InstanceId, order: Order, stop_timeout: Option<Duration>) {
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

    /// Looks at every instance without a copy.
    pub(crate) fn each(&self, mut look: impl FnMut(&Seen)) {
        self.lock().entries.values().for_each(|entry| look(&entry.handle.seen.borrow()));
    }

    /// What is known of the keeper.
    pub(crate) fn keeper(&self) -> KeeperHealth {
        self.deps.keeper.health()
    }

    /// What this runner counts.
    pub(crate) fn counters(&self) -> &Counters {
        &self.deps.counters
    }

    /// What programs get here, and may be.
    pub(crate) fn surroundings(&self) -> &Arc<Surroundings> {
        &self.deps.surroundings
    }

    /// Changes when an instance comes or goes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
