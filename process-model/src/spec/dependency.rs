//! What has to have happened elsewhere before an instance is started.

use crate::ProcessName;
use serde::{Deserialize, Serialize};

/// Another process, and what has to be so of every one of its instances.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    /// The other process.
    pub process: ProcessName,
    /// What has to be so.
    pub condition: Condition,
}

/// What has to be so of another process.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It runs.
    Started,
    /// It runs and is ready.
    #[default]
    Ready,
    /// It has ended by itself, however.
    Completed,
    /// It has ended by itself, with success.
    CompletedOk,
    /// A line of its output, since it was last started, has this regular
    /// expression.
    Log(String),
}
