//! What the runner asks for, done. It decides; here is only obedience.

use super::Keeper;
use crate::connection::Received;
use crate::protocol::{Event, Request, SpawnRequest};

impl Keeper {
    pub(super) fn obey(&mut self, (request, descriptors): Received) {
        match request {
            Request::Hello { version } => self.welcome(version),
            Request::Spawn(request) => self.spawn(&request),
            Request::SignalMain { run, signal } => self.signal_main(run, signal),
            Request::CloseSockets { instance, keep } => self.holding.sockets.close(&instance, &keep),
            Request::SetLogs { run, logs } => self.set_logs(run, &logs),
            // Once everything that came with it is done.
            Request::Upgrade { program } => self.upgrade = Some(program),
            Request::Adopt { run, state, ending } => self.adopt(run, &state, ending, descriptors),
            Request::Collected { run, status } => self.collected(run, status),
            Request::SignalTree { run, signal } => self.signal_tree(run, signal),
            Request::Fence { instance, fence } => self.fence(&instance, fence),
            // After what came with it: its successor is started first.
            Request::Forget { run } => self.to_forget.push(run),
            Request::Shutdown => {
                let alive = self.runs.all().filter(|run| !run.is_over()).count();
                if alive == 0 {
                    self.kill_leftovers();
                    self.ending = true;
                } else {
                    self.send(&Event::ShutdownRefused { alive: u32::try_from(alive).unwrap_or(u32::MAX) });
                }
            }
        }
    }

    /// Lets go of what the runner needs no more.
    pub(super) fn forget(&mut self) {
        for run in std::mem::take(&mut self.to_forget) {
            if self.runs.get(run).is_some_and(|run| run.is_over()) {
                self.drop_run(run);
            }
        }
    }

    fn spawn(&mut self, request: &SpawnRequest) {
        let id = request.run;
        if let Some(run) = self.runs.get(id) {
            let spawned = run.spawned(id);
            return self.send(&spawned);
        }
        match self.fence_start(request).and_then(|()| self.start(request)) {
            Ok((run, notes)) => {
                let spawned = run.spawned(id);
                self.by_pid.insert(run.pid, id);
                self.casualties.forget(run.pid);
                self.runs.insert(id, run);
                self.read_along(id);
                // First what a keeper after this one needs: whoever knows that it runs can have it taken over.
                self.to_hand.insert(id);
                self.hand_at_once(id);
                self.send(&spawned);
                self.attend(id, notes);
            }
            Err(failure) => {
                self.send(&Event::SpawnFailed { run: id, stage: failure.stage.to_owned(), message: failure.message })
            }
        }
    }
}
