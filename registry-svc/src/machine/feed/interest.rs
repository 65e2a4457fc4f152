//! What a watcher wants to be woken for.

use process_model::{Event, InstanceId, NodeName, ProcessName};
use std::collections::BTreeSet;

/// What a watcher wants to be woken for. It may be woken for more than it
/// shows, never for less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    /// Every event.
    Everything,
    /// Events of these only.
    Of(BTreeSet<Subject>),
}

/// Whom an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A process, and its instances.
    Process(ProcessName),
    /// One instance.
    Instance(InstanceId),
    /// A node, and what happens on it.
    Node(NodeName),
}

impl Subject {
    /// Everybody whom an event is about.
    pub(super) fn of(event: &Event) -> impl Iterator<Item = Self> {
        let process = event.process.clone().map(Self::Process);
        let instance = event.instance.clone().map(Self::Instance);
        process.into_iter().chain(instance).chain(event.node.clone().map(Self::Node))
    }
}
