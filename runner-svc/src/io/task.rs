//! Commands beside a program: hooks and exec probes. A command of the spec
//! enters; it is run by the keeper as the program would be, and whether it
//! succeeded leaves. However this ends, also when it is dropped, nothing of the
//! command goes on.

use super::keeper_link::{KeeperLink, KeeperNews};
use crate::instance::Deps;
use crate::mailbox;
use process_model::spec::{Command, HookKind, Signal};
use process_model::{Assignment, ExitStatus};
use runner_domain::{Input, RunId, SpawnError};
use runner_keeper::protocol::Request;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// After its time is over or its main process has ended, what is left of a
/// command is killed; the kernel gets this long to end it.
pub(crate) const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// What a command is run for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskKind {
    /// A hook.
    Hook {
        /// Which.
        kind: HookKind,
        /// How the run that it follows ended, when it follows one.
        ended: Option<ExitStatus>,
        /// The main process of the run that it is about, while there is one.
        main_pid: Option<u32>,
    },
    /// A step of a stop.
    StopStep {
        /// The main process of the run that is being stopped.
        main_pid: Option<u32>,
    },
    /// A probe: its output is nobody's.
    Probe,
}

impl TaskKind {
    /// What a command gets beside the program's environment.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let (name, ended, main_pid) = match self {
            // Before it ends, a run has no ending; that of an older one is not its.
            Self::Hook { kind, ended, main_pid } => {
                (kind.as_str(), ended.as_ref().filter(|_| *kind == HookKind::PostStop), *main_pid)
            }
            Self::StopStep { main_pid } => ("stop", None, *main_pid),
            Self::Probe => return Vec::new(),
        };
        let mut env = vec![("PM_HOOK".to_owned(), name.to_owned())];
        env.extend(main_pid.map(|pid| ("PM_MAIN_PID".to_owned(), pid.to_string())));
        match ended {
            Some(ExitStatus::Code(code)) => env.push(("PM_EXIT_CODE".to_owned(), code.to_string())),
            Some(ExitStatus::Signal(signal)) => env.push(("PM_EXIT_SIGNAL".to_owned(), signal.to_string())),
            Some(ExitStatus::Unknown(_)) | None => {}
        }
        env
    }

    /// Whether nobody reads what it says.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Probe)
    }
}

/// Why a command did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskError {
    /// It did not get to run, or was lost while it did: that says nothing of
    /// what it was to find out.
    NotRun(String),
    /// It ran and did not succeed, or there is no such command.
    Failed(String),
}

/// Runs a command to its end, within `timeout`. A failure is told in words.
pub(crate) async fn run(
    deps: &Deps,
    assignment: &Assignment,
    command: &Command,
    task: TaskKind,
    timeout: Duration,
) -> Result<(), String> {
    attempt(deps, assignment, command, task, timeout).await.map_err(|error| match error {
        TaskError::NotRun(why) | TaskError::Failed(why) => why,
    })
}

/// The same for whoever needs to know what the failure was of.
pub(crate) async fn attempt(
    deps: &Deps,
    assignment: &Assignment,
    command: &Command,
    task: TaskKind,
    timeout: Duration,
) -> Result<(), TaskError> {
    let run = deps.run_ids.context().next_run;
    let not_run = |error: SpawnError| TaskError::NotRun(error.to_string());
    // A runner that has just taken a program over has not asked the plugin of its type yet.
    if let Some(asked) = deps.surroundings.types.prepare(assignment) {
        asked.await.map_err(not_run)?;
    }
    let mut request = deps.surroundings.task(assignment, command, &task, run).map_err(not_run)?;
    request.fence = deps.lease.fence(&assignment.spec);
    let mut running = Running::begin(&deps.keeper, run, Request::Spawn(Box::new(request)));
    let outcome = tokio::time::timeout(timeout, running.ending()).await;
    let was_begun = running.was_begun();
    // What it left in the background is nobody's.
    running.finish().await;
    outcome.unwrap_or_else(|_| {
        let why = format!("not done within {}", humantime::format_duration(timeout));
        Err(if was_begun { TaskError::Failed(why) } else { TaskError::NotRun(why) })
    })
}

/// A command that the keeper has been asked for, until dropped.
struct Running(Option<Asked>);

impl Running {
    fn begin(keeper: &KeeperLink, run: RunId, spawn: Request) -> Self {
        // Unbounded as every route; of one run the keeper says a handful of things.
        let (inbox, news) = mailbox::mailbox();
        keeper.route(run, inbox);
        keeper.send(spawn);
        Self(Some(Asked { keeper: keeper.clone(), run, news, begun: false, over: false }))
    }

    async fn ending(&mut self) -> Result<(), TaskError> {
        match &mut self.0 {
            Some(asked) => asked.ending().await,
            None => Err(TaskError::NotRun("it is over".to_owned())),
        }
    }

    fn was_begun(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| asked.begun)
    }

    /// Ends what is left of it and waits for that, within bounds.
    async fn finish(&mut self) {
        if let Some(asked) = &mut self.0 {
            asked.kill().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut asked) = self.0.take() else { return };
        match tokio::runtime::Handle::try_current() {
            // Whoever dropped it does not wait; somebody has to, before the record may go.
            Ok(runtime) if !asked.over => {
                runtime.spawn(async move {
                    asked.kill().await;
                    asked.forget();
                });
            }
            Ok(_) | Err(_) => asked.forget(),
        }
    }
}

/// A run that the keeper was asked for.
struct Asked {
    keeper: KeeperLink,
    run: RunId,
    news: mailbox::Receiver<KeeperNews>,
    /// It runs, or did.
    begun: bool,
    /// Nothing of it is left, or will be.
    over: bool,
}

impl Asked {
    /// Until its main process has ended.
    async fn ending(&mut self) -> Result<(), TaskError> {
        loop {
            let news = self.news.recv().await;
            if let Some(outcome) = self.hear(news) {
                return outcome;
            }
        }
    }

    /// Takes in what the keeper says; returns what became of the main process.
    #[allow(clippy::wildcard_enum_match_arm)] // Of the many inputs, these are all that tell of an ending.
    fn hear(&mut self, news: Option<KeeperNews>) -> Option<Result<(), TaskError>> {
        match news {
            Some(KeeperNews::Input(input)) => match *input {
                Input::SpawnFailed { error, .. } => {
                    self.over = true;
                    let why = error.to_string();
                    // A command that is not there is a fault of the spec; a node that can start nothing is not.
                    let is_missing = error.stage == "exec" || error.stage == "chdir";
                    Some(Err(if is_missing { TaskError::Failed(why) } else { TaskError::NotRun(why) }))
                }
                Input::Spawned { .. } => {
                    self.begun = true;
                    None
                }
                Input::Exited { status, tree_empty, .. } => {
                    self.over |= tree_empty;
                    Some(judge(&status))
                }
                Input::TreeEmptied { .. } => {
                    self.over = true;
                    None
                }
                _ => None,
            },
            // The link has ended whatever was left of it.
            Some(KeeperNews::Lost(_)) | None => {
                self.over = true;
                Some(Err(TaskError::NotRun("lost with its keeper".to_owned())))
            }
            Some(_) => None,
        }
    }

    async fn kill(&mut self) {
        if self.over {
            return;
        }
        self.keeper.send(Request::SignalTree { run: self.run.0, signal: Signal::KILL.number() });
        let by = Instant::now() + KILL_PATIENCE;
        while !self.over {
            let Ok(news) = timeout_at(by, self.news.recv()).await else {
                // Its last event will lead the link to end it as nobody's.
                tracing::warn!(run = self.run.0, "a command is not gone after SIGKILL");
                return;
            };
            self.hear(news);
        }
    }

    fn forget(&self) {
        self.keeper.send(Request::Forget { run: self.run.0 });
    }
}

fn judge(status: &ExitStatus) -> Result<(), TaskError> {
    match status {
        ExitStatus::Code(0) => Ok(()),
        ExitStatus::Code(_) | ExitStatus::Signal(_) => Err(TaskError::Failed(status.to_string())),
        ExitStatus::Unknown(_) => Err(TaskError::NotRun(status.to_string())),
    }
}
