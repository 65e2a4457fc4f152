//! Which instances there are: turns assignment updates into inputs of
//! instance tasks.

use crate::instance::{Deps, Handle, Instance, Message, Origin, Seen};
use process_model::{Assignment, InstanceId};
use runner_domain::{Input, Order};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Cheap handle.
#[derive(Clone)]
pub(crate) struct Roster {
    deps: Deps,
    handles: Arc<Mutex<BTreeMap<InstanceId, Handle>>>,
    /// Grows when an instance comes or goes.
    changes: watch::Sender<u64>,
    /// True once the runner takes its instances down: nothing new is started.
    held: Arc<std::sync::atomic::AtomicBool>,
}

impl Roster {
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, handles: Arc::default(), changes: watch::Sender::new(0), held: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Handle>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an instance over from the journal.
    pub(crate) fn restore(&self, assignment: Assignment, origin: Origin) {
        self.begin(assignment, origin);
        self.changed();
    }

    /// What belongs here now. With `full`, `set` is everything.
    pub(crate) fn assign(&self, full: bool, set: Vec<Assignment>, removed: &[InstanceId]) {
        let mut go: Vec<InstanceId> = removed.to_vec();
        if full {
            let stay: std::collections::BTreeSet<&InstanceId> = set.iter().map(|a| &a.instance).collect();
            go.extend(self.lock().keys().filter(|id| !stay.contains(id)).cloned());
        }
        for instance in go {
            if !self.tell(&instance, Input::Unassigned.into()) {
                // The registry waits to hear that it is gone, even if it never was here.
                self.deps.journal.gone(&instance);
            }
        }
        for assignment in set {
            let known = self.lock().get(&assignment.instance).map(|handle| handle.seen.borrow().assignment.clone());
            if known.as_ref() == Some(&assignment) {
                // Said before; saying it again wakes nobody.
                continue;
            }
            self.deps.journal.assigned(&assignment);
            if !self.tell(&assignment.instance, Input::Assigned(assignment.clone()).into()) {
                self.begin(assignment, Origin::New);
            }
        }
        self.changed();
    }

    fn begin(&self, assignment: Assignment, origin: Origin) {
        if self.held.load(std::sync::atomic::Ordering::SeqCst) {
            return;
        }
        let id = assignment.instance.clone();
        let (instance, handle) = Instance::new(self.deps.clone(), assignment, origin);
        let seen = handle.seen.clone();
        self.lock().insert(id.clone(), handle);
        let roster = self.clone();
        tokio::spawn(async move {
            instance.run().await;
            roster.forget(&id, &seen);
        });
    }

    fn forget(&self, id: &InstanceId, seen: &watch::Receiver<Seen>) {
        let mut handles = self.lock();
        // It may have been assigned anew meanwhile.
        if handles.get(id).is_some_and(|handle| handle.seen.same_channel(seen)) {
            handles.remove(id);
        }
        drop(handles);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// True when there is such an instance.
    fn tell(&self, instance: &InstanceId, message: Message) -> bool {
        self.lock().get(instance).is_some_and(|handle| handle.inbox.send(message).is_ok())
    }

    /// An action; false when there is no such instance.
    pub(crate) fn order(&self, instance: &InstanceId, order: Order, stop_timeout: Option<Duration>) -> bool {
        self.tell(instance, Message::Order(Box::new(order), stop_timeout))
    }

    /// What every instance is now.
    pub(crate) fn seen(&self) -> Vec<(InstanceId, Seen)> {
        self.lock().iter().map(|(id, handle)| (id.clone(), handle.seen.borrow().clone())).collect()
    }

    /// What one instance is now.
    pub(crate) fn seen_of(&self, instance: &InstanceId) -> Option<Seen> {
        self.lock().get(instance).map(|handle| handle.seen.borrow().clone())
    }

    /// Changes when an instance comes or goes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Stops everything, though it stays wanted; waits until all is at rest or
    /// cannot be stopped. Bounded by each instance's stop sequence.
    pub(crate) async fn hold(&self) {
        self.held.store(true, std::sync::atomic::Ordering::SeqCst);
        let handles: Vec<Handle> = self.lock().values().cloned().collect();
        for handle in &handles {
            let _ = handle.inbox.send(Input::Held.into());
        }
        for mut handle in handles {
            let _ = handle.seen.wait_for(|seen| seen.gone || seen.view.phase.is_at_rest()).await;
        }
    }

    /// Stops that are going on wait no longer.
    pub(crate) fn hurry(&self) {
        for handle in self.lock().values() {
            let _ = handle.inbox.send(Input::StopTimeoutGiven(Duration::ZERO).into());
        }
    }
}
