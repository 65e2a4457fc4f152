//! The leases of a node's singletons, as its runner and its keeper keep them:
//! from the moment at which the last heartbeat was sent that was answered, by
//! a clock of the node's own, which is a little too slow or too fast.

use super::Node;
use super::keeper::exited;
use process_model::spec::Singleton;
use process_model::{ExitStatus, InstanceId, ProcessSpec};
use runner_domain::Input;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

impl Node {
    /// The registry has answered a heartbeat that was sent then.
    pub(super) fn confirm(&self, sent: Instant) {
        let mut state = self.lock();
        state.confirmed = state.confirmed.max(Some(sent));
        state.keeper.confirmed = state.confirmed;
        drop(state);
        self.leases.notify_one();
    }

    /// So long, by the clock of this node.
    fn by_own_clock(&self, time: Duration) -> Duration {
        time * self.slow / 1_000
    }

    /// Until the runner ends.
    pub(super) async fn follow_leases(self: Arc<Self>) {
        loop {
            let next = self.tell_leases();
            tokio::select! {
                biased;
                () = self.leases.notified() => {}
                () = until(next) => {}
            }
        }
    }

    /// Tells every singleton what it has not heard; returns when to look again.
    fn tell_leases(self: &Arc<Self>) -> Option<Instant> {
        let now = Instant::now();
        let (mut news, mut fences, mut next) = (Vec::new(), Vec::new(), None);
        {
            let mut state = self.lock();
            let confirmed = state.confirmed;
            for (id, supervised) in &mut state.instances {
                let spec = supervised.machine.spec();
                let Some(singleton) = spec.singleton.as_deref() else { continue };
                let over = confirmed.map(|at| at + self.by_own_clock(singleton.lease));
                let valid = over.is_some_and(|over| now < over);
                if valid {
                    next = next.into_iter().chain(over).min();
                    fences.push((id.clone(), self.fence_at(confirmed, singleton, spec)));
                }
                if supervised.lease != Some(valid) {
                    supervised.lease = Some(valid);
                    news.push((id.clone(), valid));
                }
            }
        }
        fences.into_iter().for_each(|(id, at)| self.fence(&id, at));
        news.into_iter().for_each(|(id, valid)| self.hear_of(&id, Input::Lease { valid }));
        next
    }

    fn fence_at(&self, confirmed: Option<Instant>, singleton: &Singleton, spec: &ProcessSpec) -> Instant {
        let bound = singleton.lease + spec.stop_bound();
        confirmed.map_or_else(Instant::now, |at| at + self.by_own_clock(bound))
    }

    /// A program of it is to be started.
    pub(super) fn fence_start(self: &Arc<Self>, instance: &InstanceId) {
        let at = {
            let state = self.lock();
            let Some(supervised) = state.instances.get(instance) else { return };
            let spec = supervised.machine.spec();
            spec.singleton.as_deref().map(|singleton| self.fence_at(state.confirmed, singleton, spec))
        };
        if let Some(at) = at {
            self.fence(instance, at);
        }
    }

    /// The keeper is told until when it may run.
    fn fence(self: &Arc<Self>, instance: &InstanceId, at: Instant) {
        let boot = {
            let mut state = self.lock();
            if state.keeper.fences.insert(instance.clone(), at) == Some(at) {
                return;
            }
            state.keeper.boot
        };
        let (node, instance) = (self.clone(), instance.clone());
        tokio::spawn(async move {
            sleep_until(at).await;
            node.end_fenced(&instance, at, boot);
        });
    }

    /// The keeper ends what is left of it, whatever the runner does.
    fn end_fenced(self: &Arc<Self>, instance: &InstanceId, at: Instant, boot: u64) {
        let mut state = self.lock();
        if state.keeper.boot != boot || state.keeper.fences.get(instance) != Some(&at) {
            return;
        }
        let wall = self.wall();
        let runs = state.keeper.runs.iter_mut().filter(|(_, run)| run.instance == *instance && run.ended.is_none());
        let ended: Vec<_> = runs
            .map(|(id, run)| {
                run.ended = Some((ExitStatus::Signal(9), wall));
                run.fenced = true;
                *id
            })
            .collect();
        drop(state);
        for run in ended {
            self.judge.oracle.count("singleton ended by its keeper");
            self.judge.ends(instance, &self.name);
            self.hear_of(instance, Input::Fenced { run });
            self.hear_of(instance, exited(run, ExitStatus::Signal(9), wall));
        }
    }
}

async fn until(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then).await,
        None => std::future::pending().await,
    }
}
