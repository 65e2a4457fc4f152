//! What reaches an instance's task.

use runner_domain::{Input, Order, RunId, SpawnError};
use std::time::Duration;

/// What reaches an instance's task; boxed, because inputs are large.
#[derive(Debug)]
pub(crate) enum Message {
    /// Something that the machine takes in.
    Input(Box<Input>),
    /// An action, with the stop timeout that was asked for.
    Order(Box<Order>, Option<Duration>),
    /// What a plugin was asked for a start is known, or why not.
    Resolved(RunId, Box<Result<(), SpawnError>>),
    /// The registry may have forgotten what it was told.
    TellAgain,
}

impl From<Input> for Message {
    fn from(input: Input) -> Self {
        Self::Input(Box::new(input))
    }
}
