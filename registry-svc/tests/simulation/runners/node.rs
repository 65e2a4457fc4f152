//! One node. Its journal survives everything, its programs survive the runner,
//! and what the runner had in memory ends with it.

use super::journal::Journal;
use super::keeper::Keeper;
use super::supervise::Supervised;
use super::{host, talk};
use crate::judge::Judge;
use crate::replica::Replica;
use crate::rig::{Dice, World};
use crate::town::Clocks;
use process_model::{InstanceId, NodeName, Timestamp};
use registry_domain::{NodeState, State};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// One node.
pub(crate) struct Node {
    pub(crate) name: NodeName,
    pub(super) number: u64,
    pub(super) dice: Dice,
    pub(super) judge: Judge,
    clocks: Clocks,
    began: Instant,
    inner: Mutex<Inner>,
    /// There is something to report.
    pub(super) news: Notify,
    /// There is something to look at for whoever follows leases.
    pub(super) leases: Notify,
    /// Thousandths that its clock takes for the time of one.
    pub(super) slow: u32,
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) journal: Journal,
    pub(super) keeper: Keeper,
    /// Which start of the runner; it runs while there is a task that talks.
    pub(super) life: u64,
    talk: Option<JoinHandle<()>>,
    following: Option<JoinHandle<()>>,
    /// When the last heartbeat was sent that was answered, as far as this runner knows.
    pub(super) confirmed: Option<Instant>,
    pub(super) instances: BTreeMap<InstanceId, Supervised>,
    /// So many of a thousand messages are followed by an old one, of a leader before.
    pub(super) replays: u64,
}

impl Node {
    pub(super) fn new(number: u64, dice: Dice, judge: Judge, clocks: Clocks) -> Arc<Self> {
        let name = format!("node-{number}").parse().unwrap();
        let (inner, news, leases) = Default::default();
        let slow = dice.between(950, 1_050) as u32;
        Arc::new(Self { name, number, dice, judge, clocks, began: Instant::now(), inner, news, leases, slow })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(super) fn wall(&self) -> Timestamp {
        self.clocks.now(host(self.number))
    }

    /// Since its runner could have been started; for intervals.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn set_replays(&self, permille: u64) {
        self.lock().replays = permille;
    }

    /// The runner ends, with what it had in memory; and with its host, if that reboots. None when none runs, else the
    /// number of this end.
    pub(crate) fn crash(&self, reboots: bool) -> Option<u64> {
        let mut state = self.lock();
        let talk = state.talk.take()?;
        talk.abort();
        state.following.take().iter().for_each(JoinHandle::abort);
        state.life += 1;
        state.confirmed = None;
        state.instances.clear();
        let ended = state.life;
        drop(state);
        if reboots {
            self.power_off();
        }
        Some(ended)
    }

    /// The runner is still as it was at this end.
    pub(crate) fn is_down_since(&self, ended: u64) -> bool {
        self.lock().life == ended
    }

    /// The runner starts, unless it runs: takes over what it finds, then talks to the registry.
    pub(crate) fn start(self: &Arc<Self>, world: &World<Replica>, rebooted: bool) {
        {
            let mut state = self.lock();
            if state.talk.is_some() {
                return;
            }
            state.life += 1;
            state.talk = Some(tokio::spawn(talk::run(self.clone(), world.clone())));
            state.confirmed = state.keeper.confirmed;
        }
        self.take_over(rebooted);
        let following = tokio::spawn(self.clone().follow_leases());
        self.lock().following = Some(following);
    }

    /// What of this node is not as the registry has it.
    pub(crate) fn strays(&self, state: &State) -> Vec<String> {
        let name = &self.name;
        let mut strays = Vec::new();
        if state.nodes().get(name).is_none_or(|node| node.state != NodeState::Ready) {
            strays.push(format!("{name} is not ready"));
        }
        let inner = self.lock();
        if inner.journal.has_reports() {
            strays.push(format!("{name} has something to report"));
        }
        let mut here: BTreeMap<_, _> = inner.instances.iter().collect();
        for assignment in state.assignments(name) {
            let id = &assignment.instance;
            let Some(supervised) = here.remove(id) else {
                strays.push(format!("{id} is not on {name}"));
                continue;
            };
            let machine = &supervised.machine;
            let (view, seen) = (machine.view(), &state.instances()[id]);
            let told = (machine.assignment().generation, machine.assignment().wanted);
            if told != (assignment.generation, assignment.wanted) || seen.phase() != view.phase {
                strays.push(format!("{id}: {name} has {told:?} and {:?}, the registry {seen:?}", view.phase));
            }
            let runs = self.judge.runs(id, name);
            if view.phase.is_at_rest() == runs {
                strays.push(format!("{id} is {:?}, and runs: {runs}", view.phase));
            }
        }
        strays.extend(here.into_keys().map(|id| format!("{id} is on {name}, where it does not belong")));
        strays
    }
}
