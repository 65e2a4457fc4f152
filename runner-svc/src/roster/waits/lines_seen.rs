//! Which lines instances have written since they were last started, as far as
//! somebody depends on them.
//!
//! What was written before anybody asked counts, too: reading begins where the
//! run began, by the time index of the output. Reading ends when everything
//! that is asked for was seen.

use crate::instance::Seen;
use crate::io::lines::{Lines, Position};
use crate::io::program::LogFiles;
use process_model::{InstanceId, ProcessName, Timestamp};
use regex::bytes::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Patterns of one instance that were seen.
type Found = Arc<Mutex<BTreeSet<String>>>;

fn lock(found: &Found) -> MutexGuard<'_, BTreeSet<String>> {
    // A set is whole after a panic, too.
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct LinesSeen {
    wake: Arc<Notify>,
    followed: BTreeMap<InstanceId, Followed>,
}

/// One run of an instance; reading ends when this is dropped.
struct Followed {
    started: Timestamp,
    patterns: BTreeSet<String>,
    found: Found,
    task: AbortHandle,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LinesSeen {
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        Self { wake, followed: BTreeMap::new() }
    }

    /// Whether the instance has written such a line since it was last started.
    pub(super) fn has(&self, instance: &InstanceId, pattern: &str) -> bool {
        self.followed.get(instance).is_some_and(|followed| lock(&followed.found).contains(pattern))
    }

    /// Which of these it has written, and since when; `None`: none of them.
    pub(super) fn seen(
        &self,
        instance: &InstanceId,
        patterns: &BTreeSet<String>,
    ) -> Option<(InstanceId, (Timestamp, BTreeSet<String>))> {
        let followed = self.followed.get(instance)?;
        let seen: BTreeSet<String> = lock(&followed.found).intersection(patterns).cloned().collect();
        (!seen.is_empty()).then(|| (instance.clone(), (followed.started, seen)))
    }

    /// Follows what is asked for, and nothing else.
    pub(super) fn follow<'a, P: Iterator<Item = &'a str>>(
        &mut self,
        log_dir: &Path,
        instances: impl Iterator<Item = (&'a InstanceId, &'a Seen)>,
        patterns: impl Fn(&'a ProcessName) -> P,
    ) {
        let mut before = std::mem::take(&mut self.followed);
        for (instance, seen) in instances {
            let patterns: BTreeSet<String> = patterns(&instance.process).map(str::to_owned).collect();
            // Not started yet: there is nothing to read.
            let Some(started) = seen.view.started.filter(|_| !patterns.is_empty()) else { continue };
            let kept = before.remove(instance).filter(|f| f.started == started && f.patterns == patterns);
            let followed = kept.unwrap_or_else(|| {
                let files = LogFiles::of(&seen.assignment.spec, instance, log_dir);
                self.begin(files, started, patterns)
            });
            self.followed.insert(instance.clone(), followed);
        }
    }

    fn begin(&self, files: LogFiles, started: Timestamp, patterns: BTreeSet<String>) -> Followed {
        let found = Found::default();
        let wanted: Vec<(String, Regex)> = patterns
            .iter()
            .filter_map(|pattern| match Regex::new(pattern) {
                Ok(regex) => Some((pattern.clone(), regex)),
                Err(error) => {
                    // Refused when it was defined; only a later version could know better.
                    tracing::error!(pattern, %error, "a dependency waits for a line that cannot be recognised");
                    None
                }
            })
            .collect();
        let task = tokio::spawn(search(files, started, wanted, found.clone(), self.wake.clone()));
        Followed { started, patterns, found, task: task.abort_handle() }
    }
}

async fn search(
    files: LogFiles,
    started: Timestamp,
    mut wanted: Vec<(String, Regex)>,
    found: Found,
    wake: Arc<Notify>,
) {
    let looked = files.clone();
    let Ok(from) = tokio::task::spawn_blocking(move || Position::since(&looked, started)).await else { return };
    let mut lines = Lines::follow(files, from);
    while !wanted.is_empty() {
        let Some(line) = lines.next().await else {
            tracing::warn!("output that a dependency waits for cannot be read any more");
            return;
        };
        let before = wanted.len();
        wanted.retain(|(pattern, regex)| {
            let is_it = regex.is_match(&line.bytes);
            if is_it {
                lock(&found).insert(pattern.clone());
            }
            !is_it
        });
        if wanted.len() < before {
            wake.notify_one();
        }
    }
}
