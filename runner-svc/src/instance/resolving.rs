//! A start that has to wait for a plugin: the question goes on beside the
//! instance, and its answer is a message. Meanwhile the instance is starting, and
//! can be stopped.

use super::{Instance, Message};
use process_model::Assignment;
use runner_domain::{Input, RunId, SpawnError, State};
use std::sync::Arc;

impl Instance {
    /// Whether the start of `run` waits for an answer, which comes as
    /// [`Message::Resolved`].
    pub(super) fn resolves(&self, run: RunId) -> bool {
        let Some(answer) = self.deps.surroundings.types.prepare(self.machine.assignment()) else { return false };
        let own = self.own.clone();
        tokio::spawn(async move {
            let outcome = answer.await;
            // An instance that is gone needs no answer.
            let _ = own.send(Message::Resolved(run, Box::new(outcome)));
        });
        true
    }

    /// The answer is there: goes on with the start, unless it is not wanted any
    /// more.
    pub(super) fn resolved(&mut self, run: RunId, outcome: Result<(), SpawnError>) {
        if self.machine.state().run() != Some(run) {
            return;
        }
        if let Err(error) = outcome {
            return self.take(Input::SpawnFailed { run, error });
        }
        if let Some(spec) = self.deps.surroundings.types.complete(self.machine.spec()) {
            // From now on it is as if it had been assigned so; also for the next runner.
            let complete = Assignment { spec: spec.into(), ..Assignment::clone(self.machine.assignment()) };
            let complete = Arc::new(complete);
            self.deps.journal.assigned(std::slice::from_ref(&complete));
            self.take(Input::Assigned(complete));
        }
        if !matches!(self.machine.state(), State::Starting { .. }) {
            // Stopped meanwhile; the keeper was never asked.
            let error = SpawnError { stage: "plugin".to_owned(), message: "stopped before it was started".to_owned() };
            return self.take(Input::SpawnFailed { run, error });
        }
        if let Some(failed) = self.spawn(run) {
            self.take(failed);
        }
    }
}
