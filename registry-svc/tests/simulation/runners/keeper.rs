//! The programs of a node. They begin after a moment, end by themselves or by
//! a signal, sometimes only by SIGKILL, and outlive the runner.

use super::Node;
use process_model::spec::Signal;
use process_model::{ExitStatus, InstanceId, Timestamp};
use runner_domain::{Input, RunId, SpawnError};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::{Instant, sleep};

/// What the keeper knows of its runs.
#[derive(Default)]
pub(super) struct Keeper {
    pub(super) runs: BTreeMap<RunId, Run>,
    pids: u32,
    /// Grows with each boot: what was asked for before is not done after it.
    pub(super) boot: u64,
    /// Until when singletons may run.
    pub(super) fences: BTreeMap<InstanceId, Instant>,
    /// What the runner said last of when it was confirmed.
    pub(super) confirmed: Option<Instant>,
}

#[derive(Clone)]
pub(super) struct Run {
    pub(super) instance: InstanceId,
    pub(super) pid: u32,
    pub(super) started: Timestamp,
    pub(super) since: Instant,
    pub(super) ended: Option<(ExitStatus, Timestamp)>,
    /// It does not listen to anything but SIGKILL.
    deaf: bool,
    /// Its lease was over, and it was killed.
    pub(super) fenced: bool,
}

impl Node {
    /// A runner asks for a program, perhaps once more.
    pub(super) fn spawn(self: &Arc<Self>, run: RunId, instance: InstanceId) {
        self.fence_start(&instance);
        let (node, boot) = (self.clone(), self.lock().keeper.boot);
        tokio::spawn(async move {
            sleep(node.dice.millis(1, 40)).await;
            if let Some(input) = node.begins(run, &instance, boot) {
                node.hear_of(&instance, input);
            }
            if node.dice.permille(300) && !node.judge.oracle.is_over() {
                sleep(node.dice.millis(50, 3_000)).await;
                let code = node.dice.between(0, 1) as i32;
                if !node.judge.oracle.is_over() {
                    node.ends(run, ExitStatus::Code(code), boot);
                }
            }
        });
    }

    fn begins(&self, run: RunId, instance: &InstanceId, boot: u64) -> Option<Input> {
        let wall = self.wall();
        let mut state = self.lock();
        if state.keeper.boot != boot {
            return None;
        }
        if let Some(known) = state.keeper.runs.get(&run) {
            // Asked for by the runner before this one, too.
            let (pid, started) = (known.pid, known.started);
            return known.ended.is_none().then_some(Input::Spawned { run, pid, started });
        }
        if state.keeper.fences.get(instance).is_some_and(|at| *at <= Instant::now()) {
            let error = SpawnError { stage: "lease".to_owned(), message: "its lease is over".to_owned() };
            return Some(Input::SpawnFailed { run, error });
        }
        if self.dice.permille(50) && !self.judge.oracle.is_over() {
            let error = SpawnError { stage: "exec".to_owned(), message: "no such file".to_owned() };
            return Some(Input::SpawnFailed { run, error });
        }
        state.keeper.pids += 1;
        let pid = state.keeper.pids;
        let deaf = self.dice.permille(150);
        let begun = Run {
            instance: instance.clone(),
            pid,
            started: wall,
            since: Instant::now(),
            ended: None,
            deaf,
            fenced: false,
        };
        state.keeper.runs.insert(run, begun);
        drop(state);
        self.judge.begins(instance, &self.name, run.0);
        Some(Input::Spawned { run, pid, started: wall })
    }

    pub(super) fn signal(self: &Arc<Self>, run: RunId, signal: &Signal) {
        let state = self.lock();
        let boot = state.keeper.boot;
        let Some(known) = state.keeper.runs.get(&run).filter(|known| known.ended.is_none()) else { return };
        let kills = *signal == Signal::KILL;
        if *signal == Signal::HUP || known.deaf && !kills {
            return;
        }
        drop(state);
        let node = self.clone();
        tokio::spawn(async move {
            sleep(node.dice.millis(1, 120)).await;
            let status = if kills { ExitStatus::Signal(9) } else { ExitStatus::Code(0) };
            node.ends(run, status, boot);
        });
    }

    fn ends(self: &Arc<Self>, run: RunId, status: ExitStatus, boot: u64) {
        let at = self.wall();
        let mut state = self.lock();
        if state.keeper.boot != boot {
            return;
        }
        let Some(known) = state.keeper.runs.get_mut(&run).filter(|known| known.ended.is_none()) else { return };
        known.ended = Some((status.clone(), at));
        let instance = known.instance.clone();
        drop(state);
        self.judge.ends(&instance, &self.name);
        self.hear_of(&instance, exited(run, status, at));
    }

    /// The host is gone, and with it everything that ran there.
    pub(super) fn power_off(&self) {
        let mut state = self.lock();
        state.keeper.boot += 1;
        let runs = std::mem::take(&mut state.keeper.runs);
        state.keeper.fences.clear();
        state.keeper.confirmed = None;
        drop(state);
        for run in runs.into_values().filter(|run| run.ended.is_none()) {
            self.judge.ends(&run.instance, &self.name);
        }
    }
}

pub(super) fn exited(run: RunId, status: ExitStatus, at: Timestamp) -> Input {
    Input::Exited { run, status, at, tree_empty: true, out_of_memory: false }
}
