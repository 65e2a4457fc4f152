//! What reaches an instance's task.

use runner_domain::{Input, Order};
use std::time::Duration;

/// What reaches an instance's task.
#[derive(Debug)]
pub(crate) enum Message {
    /// Something that the machine takes in.
    Input(Input),
    /// An action, with the stop timeout that was asked for.
    Order(Order, Option<Duration>),
}
