//! Commands that run around the life of an instance.

use super::Command;
use super::limits::default;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A command with the identity, environment and working directory of the
/// program. Its output goes to the instance's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// What runs.
    pub command: Command,
    /// Then its whole tree is killed, and it has failed.
    pub timeout: Duration,
}

impl Hook {
    /// A hook with the default time-out.
    #[must_use]
    pub fn new(command: Command) -> Self {
        Self { command, timeout: default::HOOK_TIMEOUT }
    }
}

/// The hooks of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hooks {
    /// Before each start; when it fails, the start has failed.
    pub pre_start: Option<Hook>,
    /// After the program was started and before it counts as ready; when it
    /// fails, the run has failed.
    pub post_start: Option<Hook>,
    /// Instead of a restart when only the configuration is to be read anew
    /// (`pmctl reload`). Without it, `reload` sends SIGHUP to the main process.
    pub reload: Option<Hook>,
    /// Before the stop sequence; its failure is reported and holds nothing up.
    pub pre_stop: Option<Hook>,
    /// After the tree has ended, however it ended; its failure is reported.
    pub post_stop: Option<Hook>,
}

impl Hooks {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The hook of a kind.
    #[must_use]
    pub fn get(&self, kind: HookKind) -> Option<&Hook> {
        match kind {
            HookKind::PreStart => self.pre_start.as_ref(),
            HookKind::PostStart => self.post_start.as_ref(),
            HookKind::Reload => self.reload.as_ref(),
            HookKind::PreStop => self.pre_stop.as_ref(),
            HookKind::PostStop => self.post_stop.as_ref(),
        }
    }
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookKind {
    /// Before each start.
    PreStart,
    /// After each start.
    PostStart,
    /// On `reload`.
    Reload,
    /// Before the stop sequence.
    PreStop,
    /// After the end of the tree.
    PostStop,
}

impl HookKind {
    /// The word for it in documents and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreStart => "pre_start",
            Self::PostStart => "post_start",
            Self::Reload => "reload",
            Self::PreStop => "pre_stop",
            Self::PostStop => "post_stop",
        }
    }
}
