//! What a line of output leads to (S2.12).

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A pattern and what follows when a line of the instance's output has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRule {
    /// Name, for events; unique in the process.
    pub name: String,
    /// Regular expression, found anywhere in a line.
    pub pattern: String,
    /// What follows.
    pub action: LogAction,
    /// After it fired, it is quiet for so long; what it passes over is counted
    /// in the next event.
    pub cooldown: Duration,
}

/// What follows from a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogAction {
    /// An event with the line.
    Event,
    /// An event that alerts are made of, with the line.
    Alert,
    /// The instance is stopped gracefully and started again.
    Restart,
}

impl LogAction {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::Event, Self::Alert, Self::Restart];

    /// The word for it in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Alert => "alert",
            Self::Restart => "restart",
        }
    }
}
