//! Probe and log watchdog of one run, for as long as it is observed.

use super::deps::Deps;
use super::message::Message;
use crate::io::log_watch::{Maker, Watched};
use crate::io::program::LogFiles;
use crate::io::{log_watch, probe};
use process_model::{InstanceId, ProcessSpec};
use runner_domain::RunId;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Ends what it began when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Observer {
    tasks: JoinSet<()>,
}

impl Observer {
    /// Begins what the spec asks for. A machine ignores what comes late from
    /// an older run, so an observer need not be waited for.
    pub(super) fn begin(
        deps: &Deps,
        instance: &InstanceId,
        spec: &Arc<ProcessSpec>,
        run: RunId,
        inbox: &mpsc::UnboundedSender<Message>,
    ) -> Self {
        let mut tasks = JoinSet::new();
        if let Some(readiness) = &spec.readiness {
            tasks.spawn(probe::run(readiness.clone(), run, inbox.clone()));
        }
        if let Some(watchdog) = &spec.log_watchdog {
            let own = LogFiles::of(spec, instance, &deps.surroundings.log_dir);
            let keepers = |path| Watched { path, maker: Maker::Keeper };
            let files = match watchdog.log_file.as_ref().map(PathBuf::from) {
                Some(path) if path != own.stdout && path != own.stderr => {
                    vec![Watched { path, maker: Maker::Watch { user: spec.user.clone() } }]
                }
                Some(path) => vec![keepers(path)],
                None if own.stdout == own.stderr => vec![keepers(own.stdout)],
                // Its own output is two files: activity in either counts.
                None => vec![keepers(own.stdout), keepers(own.stderr)],
            };
            let watch = log_watch::LogWatch {
                files,
                timeout: watchdog.timeout,
                interval: watchdog.interval,
                run,
                instance: instance.clone(),
                inbox: inbox.clone(),
                notices: deps.notices.clone(),
            };
            tasks.spawn(watch.run());
        }
        Self { tasks }
    }

    /// Whether anything is observed.
    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }
}
