//! One task for each instance: it owns the machine, and everything reaches it
//! by message.

mod commands;
mod deps;
mod driver;
mod message;
mod observer;
mod orders;
mod reporting;
mod resolving;
mod survivors;
mod timers;

pub(crate) use deps::Deps;
pub(crate) use driver::Instance;
pub(crate) use message::Message;

use crate::io::leftovers::MainProcess;
use crate::{latest, mailbox};
use process_model::Assignment;
use runner_domain::{Memo, View};
use runner_keeper::protocol::RunRecord;
use std::sync::Arc;

/// How an instance comes to this runner.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Assigned just now.
    New,
    /// From the journal.
    Restored(Box<Restored>),
}

/// What is known of an instance that another runner had.
#[derive(Debug)]
pub(crate) struct Restored {
    /// What was remembered.
    pub(crate) memo: Memo,
    /// What that was about, when the assignment has changed since.
    pub(crate) before: Option<Arc<Assignment>>,
    /// The main process of its run.
    pub(crate) main: Option<MainProcess>,
    /// What the keeper knows of the run.
    pub(crate) record: Option<RunRecord>,
    /// Whether the node was booted since.
    pub(crate) rebooted: bool,
}

/// Cheap handle on an instance's task.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    /// Unbounded: inputs are few, and none may be lost or hold up the keeper's
    /// reader.
    pub(crate) inbox: mailbox::Sender<Message>,
    /// What it is now.
    pub(crate) seen: latest::Receiver<Seen>,
}

/// What others see of an instance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) assignment: Arc<Assignment>,
    pub(crate) view: View,
    /// What holds the tree of its run together; empty while none runs.
    pub(crate) containment: Arc<str>,
    /// Nothing of it is left: the task has ended.
    pub(crate) gone: bool,
}
