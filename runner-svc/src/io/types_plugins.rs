//! Types that executable plugins serve (`proto/pm/v1/plugin.proto`): which
//! plugins there are, and their answers, kept.
//!
//! ```text
//! spawn ──▶ Plugins::prepare ── known? ──▶ None: go on
//!                │ not yet
//!                ▼
//!           a future: plugin started, asked, its answer kept ──▶ spawn again
//! ```
//!
//! Nothing here blocks: an instance whose plugin is slow waits alone. A type of
//! the node's own (`types.d`, built in) is never asked of a plugin.
//!
//! | file | what |
//! |---|---|
//! | `plugin` | one plugin: start, handshake, calls, rest after a failure |
//! | `child` | its process |
//! | `answer` | what it says, checked |
//! | `error` | why there is no answer |

mod answer;
mod child;
mod error;
mod plugin;
#[cfg(test)]
mod tests;

use answer::Answer;
use error::PluginError;
use plugin::Plugin;
use process_model::{Assignment, ProcessName, ProcessSpec};
use runner_domain::SpawnError;
use runner_types::{Program, TypeSet};
use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Plugins of a node; more are not looked at.
const PLUGINS: usize = 64;
/// Questions at a time: each may keep a plugin busy for seconds.
const AT_A_TIME: usize = 16;
/// Starts that may wait for their turn. A node has this many instances of
/// plugins' types at most before they fail instead of waiting.
const WAITING: usize = 4_096;
/// Longest wait of a start for its answer, its turn included: shorter than the
/// default stop sequence, so that a stop meanwhile ends in time.
const PATIENCE: Duration = Duration::from_secs(6);
/// Answers that are kept, one for each process.
const ANSWERS: usize = 10_000;

/// The plugins of a node. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plugins(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plugins: Vec<Arc<Plugin>>,
    answers: Mutex<BTreeMap<ProcessName, Kept>>,
    /// Of those who wait for their turn.
    room: Semaphore,
    turns: Semaphore,
}

impl Default for Inner {
    fn default() -> Self {
        let (room, turns) = (Semaphore::new(WAITING), Semaphore::new(AT_A_TIME));
        Self { plugins: Vec::new(), answers: Mutex::default(), room, turns }
    }
}

/// An answer, and what it is an answer to.
#[derive(Debug)]
struct Kept {
    spec: Arc<ProcessSpec>,
    /// Generation of the spec and count of restarts that were asked for: who
    /// restarts by hand has perhaps changed what a plugin looks at.
    asked: (u64, u64),
    answer: Answer,
}

impl Kept {
    /// Whether it is the same question but for what the plugin itself has added.
    fn answers(&self, spec: &ProcessSpec) -> bool {
        spec.runtime == self.spec.runtime && answer::subject(spec) == answer::subject(&self.spec)
    }
}

impl Plugins {
    /// The plugins of a directory, in the order of their names: executables, and
    /// sockets (`*.sock`) that somebody else serves. `run_dir` gets the sockets of
    /// the executables. Also what is left out, and why, a line each.
    pub(crate) fn open(dir: &Path, run_dir: &Path) -> (Self, Vec<String>) {
        let (mut plugins, mut left_out) = (Vec::new(), Vec::new());
        for path in files(dir) {
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let mode = metadata.permissions().mode();
            let listens = metadata.file_type().is_socket() || name.ends_with(".sock");
            if listens {
                plugins.push(Arc::new(Plugin::new(name, None, path)));
            } else if metadata.is_file() && mode & 0o111 != 0 {
                if mode & 0o002 != 0 {
                    left_out.push(format!("{}: everybody may write it; chmod o-w", path.display()));
                    continue;
                }
                let socket = run_dir.join(format!("{}.sock", plugins.len()));
                plugins.push(Arc::new(Plugin::new(name, Some(path), socket)));
            }
        }
        if plugins.len() > PLUGINS {
            left_out.push(format!("{}: it has {} plugins; the first {PLUGINS} are used", dir.display(), plugins.len()));
            plugins.truncate(PLUGINS);
        }
        if !plugins.is_empty()
            && let Err(error) = fs::DirBuilder::new().recursive(true).mode(0o700).create(run_dir)
        {
            left_out.push(format!("{}: {error}; no plugin can be started", run_dir.display()));
        }
        (Self(Arc::new(Inner { plugins, ..Inner::default() })), left_out)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProcessName, Kept>> {
        self.0.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn concern(&self, spec: &ProcessSpec, types: &TypeSet) -> bool {
        !self.0.plugins.is_empty() && types.iter().all(|of| *of.name() != spec.runtime)
    }

    /// Whether the type is a plugin's, and what it says of `spec` is not known.
    pub(crate) fn is_unasked(&self, spec: &ProcessSpec, types: &TypeSet) -> bool {
        self.concern(spec, types) && !self.lock().get(&spec.name).is_some_and(|kept| kept.answers(spec))
    }

    /// What has to be awaited before `assignment` can be started; `None`:
    /// nothing. It is over within seconds, and asks at most once for a process
    /// and generation, and once for each restart by hand.
    pub(crate) fn prepare(
        &self,
        assignment: &Assignment,
        types: &TypeSet,
    ) -> Option<impl Future<Output = Result<(), SpawnError>> + Send + use<>> {
        let spec = assignment.spec.clone();
        let asked = (assignment.generation, assignment.restart_count);
        let known = |kept: &Kept| kept.asked == asked && kept.answers(&spec);
        if !self.concern(&spec, types) || self.lock().get(&spec.name).is_some_and(known) {
            return None;
        }
        let this = self.clone();
        let own: Vec<String> = types.iter().map(|of| of.name().to_string()).collect();
        Some(async move {
            let waited = tokio::time::timeout(PATIENCE, this.ask(&spec, own)).await;
            let answer = waited.unwrap_or_else(|_| Err(slow(&spec)))?;
            let mut answers = this.lock();
            if answers.len() >= ANSWERS && !answers.contains_key(&spec.name) {
                answers.pop_first();
            }
            answers.insert(spec.name.clone(), Kept { spec: spec.clone(), asked, answer });
            Ok(())
        })
    }

    /// The kept answer for `spec`.
    pub(crate) fn program(&self, spec: &ProcessSpec) -> Option<Program> {
        let answers = self.lock();
        answers.get(&spec.name).filter(|kept| kept.answers(spec)).map(|kept| kept.answer.program.clone())
    }

    /// The spec with what its plugin's type says where it says nothing itself;
    /// `None`: there is nothing to add, or nothing was asked yet.
    pub(crate) fn complete(&self, spec: &ProcessSpec) -> Option<ProcessSpec> {
        let answers = self.lock();
        answers.get(&spec.name).filter(|kept| kept.answers(spec)).and_then(|kept| kept.answer.complete(spec))
    }

    /// From now on, everything is asked anew.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    /// Ends them all.
    pub(crate) async fn close(&self) {
        let ends = self.0.plugins.iter().cloned().map(|plugin| tokio::spawn(async move { plugin.close().await }));
        for end in ends.collect::<Vec<_>>() {
            let _ = end.await;
        }
    }

    /// The answer of the first plugin that serves the type. One that cannot say
    /// what it serves stands in nobody's way but of those whom no other serves.
    async fn ask(&self, spec: &ProcessSpec, own: Vec<String>) -> Result<Answer, PluginError> {
        let busy = || PluginError::Busy { waiting: WAITING };
        let _room = self.0.room.try_acquire().map_err(|_| busy())?;
        let _turn = self.0.turns.acquire().await.map_err(|_| busy())?;
        let asked =
            self.0.plugins.iter().cloned().map(|plugin| tokio::spawn(async move { (plugin.info().await, plugin) }));
        let (mut known, mut trouble) = (own, Vec::new());
        for asked in asked.collect::<Vec<_>>() {
            let Ok((info, plugin)) = asked.await else { continue };
            match info {
                Ok(info) if info.types.contains(&spec.runtime) => return plugin.resolve(spec).await,
                Ok(info) => known.extend(info.types.iter().map(ToString::to_string)),
                Err(error) => trouble.push(error),
            }
        }
        match trouble.into_iter().next() {
            // Perhaps it is that one's type.
            Some(error) => Err(error),
            None => Err(self.unknown(spec, known).await),
        }
    }

    async fn unknown(&self, spec: &ProcessSpec, mut known: Vec<String>) -> PluginError {
        let mut looks = Vec::new();
        for plugin in &self.0.plugins {
            looks.extend(plugin.detect(spec).await);
        }
        known.sort();
        let looks = if looks.is_empty() { String::new() } else { format!("; it looks like {}", looks.join(" or ")) };
        let (name, known) = (spec.runtime.as_str(), known.join(", "));
        PluginError::Unknown(format!("this node has no type {name:?}; it has {known}{looks}"))
    }
}

fn slow(spec: &ProcessSpec) -> PluginError {
    PluginError::Slow { plugin: format!("for type {}", spec.runtime), call: "Resolve", after: PATIENCE }
}

/// What is in the directory, by name; what editors leave begins with a dot.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}
