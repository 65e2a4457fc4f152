//! What a watcher is shown, and what it has to be woken for.

use crate::machine::feed::{Interest, Subject};
use process_model::{Event, Selector};
use registry_domain::Instance;

/// What a watcher is shown.
pub(in crate::api) struct Filter {
    selectors: Vec<Selector>,
    types: Vec<Selector>,
    /// Empty: of all nodes.
    node: String,
}

impl Filter {
    pub(in crate::api) fn new(selectors: Vec<String>, types: Vec<String>, node: String) -> Self {
        let all = |texts: Vec<String>| texts.into_iter().map(Selector::new).collect();
        Self { selectors: all(selectors), types: all(types), node }
    }

    pub(in crate::api) fn lets_through(&self, event: &Event) -> bool {
        let by_type = self.types.is_empty() || self.types.iter().any(|t| t.matches(&event.kind));
        let by_node = self.node.is_empty() || event.node.as_ref().is_some_and(|node| node.as_str() == self.node);
        let selected = |s: &Selector| match (&event.instance, &event.process) {
            (Some(id), _) => s.selects_instance(id),
            (None, Some(process)) => s.matches(process.as_str()),
            (None, None) => false,
        };
        by_type && by_node && (self.selectors.is_empty() || self.selectors.iter().any(selected))
    }

    /// Whether an instance belongs to the snapshot.
    pub(super) fn shows_instance(&self, instance: &Instance) -> bool {
        let by_node = self.node.is_empty() || instance.node.as_ref().is_some_and(|node| node.as_str() == self.node);
        by_node && (self.selectors.is_empty() || self.selectors.iter().any(|s| s.selects_instance(&instance.id)))
    }

    /// Whether a process belongs to the snapshot. It has no node.
    pub(super) fn shows_process(&self, name: &str) -> bool {
        self.node.is_empty() && (self.selectors.is_empty() || self.selectors.iter().any(|s| s.matches(name)))
    }

    /// Whether a node belongs to the snapshot. What is chosen by process has none.
    pub(super) fn shows_node(&self, name: &str) -> bool {
        self.selectors.is_empty() && (self.node.is_empty() || self.node == name)
    }

    /// What the watcher has to be woken for. Names are exact; among patterns
    /// anything may match.
    pub(super) fn interest(&self) -> Interest {
        if self.selectors.is_empty() {
            let node = self.node.parse().map(Subject::Node).ok();
            return match node {
                Some(node) => Interest::Of([node].into()),
                // No node has such a name.
                None if !self.node.is_empty() => Interest::Of([].into()),
                None => Interest::Everything,
            };
        }
        if !self.selectors.iter().all(Selector::is_literal) {
            return Interest::Everything;
        }
        let subjects = self.selectors.iter().map(Selector::as_str).flat_map(|text| {
            let process = text.parse().map(Subject::Process).ok();
            process.into_iter().chain(text.parse().map(Subject::Instance).ok())
        });
        Interest::Of(subjects.collect())
    }
}
