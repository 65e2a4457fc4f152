//! Ends singletons whose lease is over, whatever the runner does.

use super::Keeper;
use crate::diary::say;
use crate::fences::boot_nanos;
use crate::launch::SpawnFailure;
use crate::protocol::{Event, Fence, SpawnRequest};
use rustix::process::Signal;

impl Keeper {
    /// A program of a singleton is to be started, or a command beside it.
    pub(super) fn fence_start(&mut self, request: &SpawnRequest) -> Result<(), SpawnFailure> {
        let Some(fence) = request.fence else { return Ok(()) };
        if fence.at <= boot_nanos() {
            let message = "its lease is over: another node may run it by now".to_owned();
            return Err(SpawnFailure { stage: "lease", message, errno: None });
        }
        // Without its deadline it must not run.
        self.fences.set(&request.instance, Some(fence)).map_err(|e| SpawnFailure::new("lease", &request.instance, &e))
    }

    pub(super) fn fence(&mut self, instance: &str, fence: Option<Fence>) {
        if let Err(e) = self.fences.set(instance, fence) {
            say!("cannot set the deadline of {instance}: {e}");
        }
    }

    /// Whoever is left of those whose time is over gets SIGKILL.
    pub(super) fn end_fenced(&mut self) {
        let due = match self.fences.take_due() {
            Ok(due) => due,
            Err(e) => return say!("cannot wait for the next deadline: {e}"),
        };
        for instance in due {
            for id in self.runs.ids_of(&instance).to_vec() {
                let Some(run) = self.runs.get_mut(id).filter(|run| !run.is_over()) else { continue };
                run.fenced = true;
                say!("the lease of {instance} is over and run {id} goes on; SIGKILL");
                self.send(&Event::Fenced { run: id });
                self.signal_tree(id, Signal::KILL.as_raw());
            }
        }
    }

    /// Nothing of an instance runs: its deadline is of no more use.
    pub(super) fn unfence(&mut self, instance: &str) {
        if self.fences.of(instance).is_some() && self.runs.ids_of(instance).is_empty() {
            self.fence(instance, None);
        }
    }
}
