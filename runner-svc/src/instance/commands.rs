//! The command of ours that goes on beside a program: a hook, or a step of a
//! stop. At most one at a time, as the machine has it.

use super::deps::Deps;
use crate::io::task::{self, TaskKind};
use process_model::spec::{Hook, HookKind, StopStep};
use process_model::{Assignment, ExitStatus};
use runner_domain::{Input, RunId};
use std::sync::Arc;
use tokio::task::{AbortHandle, JoinHandle};

/// Which command goes on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    Hook(HookKind),
    Step(usize),
}

impl Which {
    fn of(self, assignment: &Assignment) -> Option<Hook> {
        let spec = &assignment.spec;
        match self {
            Self::Hook(kind) => spec.hooks.as_ref()?.get(kind).cloned(),
            Self::Step(index) => match spec.stop.steps.get(index)? {
                StopStep::Hook(hook) => Some(hook.clone()),
                StopStep::Signal { .. } | StopStep::Wait(_) => None,
            },
        }
    }

    fn task(self, ended: Option<ExitStatus>, main_pid: Option<u32>) -> TaskKind {
        match self {
            Self::Hook(kind) => TaskKind::Hook { kind, ended, main_pid },
            Self::Step(_) => TaskKind::StopStep { main_pid },
        }
    }

    fn ended(self, run: RunId, outcome: Result<(), String>) -> Input {
        match self {
            Self::Hook(hook) => Input::HookEnded { run, hook, outcome },
            Self::Step(step) => Input::StopHookEnded { run, step, outcome },
        }
    }
}

/// A command that goes on; killed when it is dropped.
#[derive(Debug)]
struct Command {
    run: RunId,
    which: Which,
    outcome: JoinHandle<Result<(), String>>,
    abort: AbortHandle,
}

impl Drop for Command {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// Room for one.
#[derive(Debug, Default)]
pub(super) struct Commands(Option<Box<Command>>);

impl Commands {
    /// Begins a command of the spec that the assignment has now. `ended`: how
    /// the program ended that it follows; `main_pid`: the one that it is about,
    /// while it runs.
    pub(super) fn begin(
        &mut self,
        deps: &Arc<Deps>,
        assignment: &Arc<Assignment>,
        run: RunId,
        which: Which,
        ended: Option<ExitStatus>,
        main_pid: Option<u32>,
    ) {
        let (deps, assignment) = (deps.clone(), assignment.clone());
        let outcome = tokio::spawn(async move {
            // Edited away in the same moment: then there is nothing to do.
            let Some(hook) = which.of(&assignment) else { return Ok(()) };
            task::run(&deps, &assignment, &hook.command, which.task(ended, main_pid), hook.timeout).await
        });
        self.0 = Some(Box::new(Command { run, which, abort: outcome.abort_handle(), outcome }));
    }

    /// Kills the one that goes on.
    pub(super) fn cancel(&mut self) {
        self.0 = None;
    }

    /// Waits for its end; for ever when none goes on.
    pub(super) async fn next(&mut self) -> Input {
        let Some(command) = &mut self.0 else { return std::future::pending().await };
        let outcome = (&mut command.outcome).await.unwrap_or_else(|error| Err(format!("it was broken off: {error}")));
        let input = command.which.ended(command.run, outcome);
        self.0 = None;
        input
    }
}
