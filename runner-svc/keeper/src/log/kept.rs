//! By which policy a file is kept. Most outputs of most programs stay silent:
//! until there is something to keep, only what is needed then is in memory.

use super::file::LogFile;
use super::index::{Kind, Record};
use super::names::index_of;
use super::rotation::Keeping;
use crate::run::wall_nanos;
use process_model::spec::LogPolicy;
use std::time::Instant;

/// How it will be kept.
#[derive(Debug)]
pub(super) struct Silent {
    pub(super) policy: LogPolicy,
    /// When the run began, for the index.
    pub(super) run: Option<i64>,
}

impl LogFile {
    /// The file is kept so from now on.
    pub(super) fn keep(&mut self, policy: LogPolicy, now: Instant) {
        // Its index would say what it was before it was cut short.
        if self.size == 0 && !index_of(&self.path).exists() {
            self.silent = Some(Box::new(Silent { policy, run: None }));
        } else {
            self.keeping = Some(Box::new(Keeping::new(&self.path, self.size, policy, now, wall_nanos())));
        }
    }

    /// Something is to be written.
    pub(super) fn wake(&mut self, now: Instant) {
        let Some(silent) = self.silent.take() else { return };
        let mut keeping = Keeping::new(&self.path, self.size, silent.policy, now, wall_nanos());
        if let Some(run) = silent.run {
            keeping.index.mark(&self.path, Kind::Run, self.size, run);
        }
        self.keeping = Some(Box::new(keeping));
    }

    pub(super) fn policy(&self) -> Option<&LogPolicy> {
        let silent = || self.silent.as_ref().map(|silent| &silent.policy);
        self.keeping.as_ref().map(|keeping| &keeping.policy).or_else(silent)
    }

    /// Another policy from now on.
    pub(super) fn keep_by(&mut self, policy: LogPolicy) {
        if let Some(silent) = &mut self.silent {
            silent.policy = policy;
            return;
        }
        match &mut self.keeping {
            Some(keeping) => {
                keeping.index.keep_by(&self.path, &policy);
                keeping.policy = policy;
                keeping.prune(&self.path);
            }
            None if self.active.as_ref().is_some_and(|active| active.is_regular) => {
                self.keep(policy, Instant::now());
            }
            None => {}
        }
    }

    /// A run begins.
    pub(super) fn mark_run(&mut self) {
        if let Some(silent) = &mut self.silent {
            silent.run = Some(wall_nanos());
        } else if let Some(keeping) = &mut self.keeping {
            keeping.index.mark(&self.path, Kind::Run, self.size, wall_nanos());
        }
    }

    /// Records of the index that are not written yet.
    pub(super) fn pending_index(&self) -> Vec<u8> {
        let run = self.silent.as_ref().and_then(|silent| silent.run);
        let silent = || run.map(|time| Record { kind: Kind::Run, time, offset: self.size }.encode().to_vec());
        let kept = self.keeping.as_ref().map(|keeping| keeping.index.pending().to_vec());
        kept.or_else(silent).unwrap_or_default()
    }
}
