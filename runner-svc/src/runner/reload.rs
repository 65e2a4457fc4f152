//! What is read anew while the runner runs (SIGHUP): definitions of types and
//! the node's policy. All of a kind or nothing of it: what has a fault leaves
//! what held before in force, and is told until the next reload.

use super::Runner;
use crate::clock;
use crate::io::types;
use crate::options::{Options, PolicyFile};
use crate::roster::Roster;
use process_model::Timestamp;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Where to read, and what came of it.
#[derive(Debug)]
pub(super) struct Reloads {
    types_dir: Option<PathBuf>,
    policy_file: PolicyFile,
    last: Mutex<Option<Reloaded>>,
}

/// What came of the last reload.
#[derive(Debug, Clone)]
pub(super) struct Reloaded {
    pub(super) at: Timestamp,
    /// What was not taken over, and why; a line each.
    pub(super) faults: Vec<String>,
}

impl Reloads {
    pub(super) fn new(options: &Options) -> Self {
        Self { types_dir: options.types_dir.clone(), policy_file: options.policy_file.clone(), last: Mutex::default() }
    }

    pub(super) fn last(&self) -> Option<Reloaded> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads anew what can be; outlives the runner.
#[derive(Debug, Clone)]
pub struct Reload {
    roster: Roster,
    reloads: Arc<Reloads>,
}

impl Runner {
    /// A handle that reads types and policy anew.
    #[must_use]
    pub fn reload(&self) -> Reload {
        Reload { roster: self.roster.clone(), reloads: self.reloads.clone() }
    }
}

impl Reload {
    /// Reads types and policy anew. They hold for starts from now on; what runs
    /// stays as it is. Returns what was not taken over, and why. Reads files:
    /// to be called where that may take its time.
    pub fn reload(&self) -> Vec<String> {
        let surroundings = self.roster.surroundings();
        let mut faults = Vec::new();
        let loaded = types::load(self.reloads.types_dir.as_deref());
        if loaded.left_out.is_empty() {
            surroundings.types.replace(loaded.types);
        } else {
            faults.extend(loaded.left_out.into_iter().map(|fault| format!("types stay as they were: {fault}")));
        }
        match surroundings.policy.get().renewed(&self.reloads.policy_file) {
            Ok(policy) => surroundings.policy.replace(policy),
            Err(error) => faults.push(format!("the policy stays as it was: {error}")),
        }
        let reloaded = Reloaded { at: clock::wall(), faults: faults.clone() };
        *self.reloads.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reloaded);
        faults
    }
}
