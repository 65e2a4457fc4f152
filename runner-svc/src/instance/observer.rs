//! Everything that watches one run, for as long as it is observed: probes, the
//! log watchdog, log rules, its memory. What a spec does not ask for costs
//! nothing.

use super::deps::Deps;
use super::message::Message;
use crate::io::lines::Position;
use crate::io::log_rules::{self, LogRules};
use crate::io::log_watch::{LogWatch, Maker, Watched};
use crate::io::memory::Weighing;
use crate::io::probe::{Prober, Purpose};
use crate::io::program::LogFiles;
use crate::mailbox;
use process_model::spec::LogWatchdog;
use process_model::{Assignment, ProcessSpec};
use runner_domain::RunId;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Ends what it began when it is dropped. Most instances are not watched: they
/// have no room for it either.
#[derive(Debug, Default)]
pub(super) struct Observer(Option<Box<Watching>>);

#[derive(Debug, Default)]
struct Watching {
    tasks: JoinSet<()>,
    weighing: Option<Weighing>,
    /// Tells the reader of the output that the run is over; it reads the last
    /// words and ends by itself.
    reading: Option<Reading>,
}

/// A run whose output is read.
#[derive(Debug)]
struct Reading {
    files: LogFiles,
    ended: Option<oneshot::Sender<Position>>,
}

impl Drop for Reading {
    /// All of the run's output is in its files, and nothing of the next one's.
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(Position::now(&self.files));
        }
    }
}

impl Observer {
    /// Whether the output of a run is read: then [`Observer::begin`] needs to
    /// know where it begins.
    pub(super) fn wants_lines(spec: &ProcessSpec) -> bool {
        log_rules::wants_lines(spec)
    }

    /// Begins what the spec asks for. A machine ignores what comes late from
    /// an older run, so an observer need not be waited for. A run that is
    /// `ready` already was ready before. Without a `position`, output counts
    /// from now on.
    pub(super) fn begin(
        deps: &Arc<Deps>,
        assignment: &Arc<Assignment>,
        run: RunId,
        ready: bool,
        inbox: &mailbox::Sender<Message>,
        position: Option<Position>,
    ) -> Self {
        let (spec, instance) = (&assignment.spec, &assignment.instance);
        let mut this = Self::default();
        let probes = [(&spec.readiness, Purpose::Readiness), (&spec.liveness, Purpose::Liveness)];
        for (probe, purpose) in probes.into_iter().filter_map(|(probe, purpose)| Some((probe.as_ref()?, purpose))) {
            if Prober::asks(probe) {
                let prober = Prober {
                    deps: deps.clone(),
                    assignment: assignment.clone(),
                    probe: probe.clone(),
                    purpose,
                    starting: purpose == Purpose::Readiness && !ready,
                    run,
                    inbox: inbox.clone(),
                };
                this.watching().tasks.spawn(prober.run());
            }
        }
        let files = || LogFiles::of(spec, instance, &deps.surroundings.log_dir);
        if let Some(watchdog) = &spec.log_watchdog {
            let watch = LogWatch {
                files: watched(watchdog, spec, &files()),
                timeout: watchdog.timeout,
                interval: watchdog.interval,
                run,
                instance: instance.clone(),
                inbox: inbox.clone(),
                notices: deps.notices.clone(),
            };
            this.watching().tasks.spawn(watch.run());
        }
        if Self::wants_lines(spec) {
            let files = files();
            let rules = LogRules {
                spec: spec.clone(),
                instance: instance.clone(),
                from: position.unwrap_or_else(|| Position::now(&files)),
                files: files.clone(),
                run,
                inbox: inbox.clone(),
                cooldowns: deps.cooldowns.clone(),
            };
            let (ended, end) = oneshot::channel();
            tokio::spawn(rules.run(end));
            this.watching().reading = Some(Reading { files, ended: Some(ended) });
        }
        this
    }

    /// Weighs the tree of this main process, if the spec asks for it.
    pub(super) fn weigh(
        &mut self,
        deps: &Arc<Deps>,
        spec: &ProcessSpec,
        run: RunId,
        main: Option<u32>,
        inbox: &mailbox::Sender<Message>,
    ) {
        if let (Some(most), Some(main)) = (spec.restart.max_memory, main) {
            self.watching().weighing = Some(deps.memory.weigh(run, main, most, inbox));
        }
    }

    /// Whether nothing is observed.
    pub(super) fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    fn watching(&mut self) -> &mut Watching {
        self.0.get_or_insert_default()
    }
}

/// Files in which activity counts.
fn watched(watchdog: &LogWatchdog, spec: &ProcessSpec, own: &LogFiles) -> Vec<Watched> {
    let keepers = |path: &PathBuf| Watched { path: path.clone(), maker: Maker::Keeper };
    match watchdog.log_file.as_ref().map(PathBuf::from) {
        Some(path) if path != own.stdout && path != own.stderr => {
            let maker = Maker::Watch { user: spec.user.clone(), execution: spec.execution.clone() };
            vec![Watched { path, maker }]
        }
        Some(path) => vec![keepers(&path)],
        None if own.stdout == own.stderr => vec![keepers(&own.stdout)],
        // Its own output is two files: activity in either counts.
        None => vec![keepers(&own.stdout), keepers(&own.stderr)],
    }
}
