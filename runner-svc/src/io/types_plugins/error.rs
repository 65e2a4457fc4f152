//! Why a plugin gave no answer. Each is a failed start of stage `plugin`, in
//! the words that the person reads who asked for it.

use runner_domain::SpawnError;
use std::time::Duration;

/// Why a plugin gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PluginError {
    /// It cannot be started, or nobody listens.
    #[error("plugin {plugin} is not there: {why}")]
    Missing { plugin: String, why: String },
    /// It took too long.
    #[error("plugin {plugin} has not answered {call} within {} s", after.as_secs())]
    Slow { plugin: String, call: &'static str, after: Duration },
    /// It ended, or closed its connection.
    #[error("plugin {plugin} broke off: {why}")]
    Crashed { plugin: String, why: String },
    /// It says that the process is none for it.
    #[error("plugin {plugin}: {why}")]
    Refused { plugin: String, why: String },
    /// It said what cannot be.
    #[error("plugin {plugin} gave an answer that cannot be used: {why}")]
    Wrong { plugin: String, why: String },
    /// It failed a moment ago.
    #[error("{why}; it is tried again in {} s", left.as_secs() + 1)]
    Resting { why: String, left: Duration },
    /// Too many wait already.
    #[error("{waiting} starts wait for plugins already")]
    Busy { waiting: usize },
    /// Nobody has such a type.
    #[error("{0}")]
    Unknown(String),
}

impl From<PluginError> for SpawnError {
    fn from(error: PluginError) -> Self {
        let stage = match &error {
            // As when there are no plugins at all.
            PluginError::Unknown(_) => "type",
            PluginError::Missing { .. }
            | PluginError::Slow { .. }
            | PluginError::Crashed { .. }
            | PluginError::Refused { .. }
            | PluginError::Wrong { .. }
            | PluginError::Resting { .. }
            | PluginError::Busy { .. } => "plugin",
        };
        Self { stage: stage.to_owned(), message: error.to_string() }
    }
}
