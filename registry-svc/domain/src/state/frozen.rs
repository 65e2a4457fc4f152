//! The state as it was at a moment.

use super::State;
use crate::index::Index;
use crate::row::{Meta, Row, RowKey};
use std::collections::BTreeSet;

/// The rows of a state as they were at a moment; the state goes on. Made by
/// copying maps, not values: a pause of milliseconds for 100,000 instances.
#[derive(Debug, Clone)]
pub struct Frozen(State);

impl State {
    /// The rows as they are now.
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        Frozen(Self {
            meta: self.meta.clone(),
            processes: self.processes.clone(),
            instances: self.instances.clone(),
            nodes: self.nodes.clone(),
            actions: self.actions.clone(),
            events: self.events.clone(),
            audit: self.audit.clone(),
            replies: self.replies.clone(),
            history: self.history.rows_only(),
            members: self.members.clone(),
            pieces: self.pieces.clone(),
            inventories: self.inventories.clone(),
            invitations: self.invitations.clone(),
            runs: self.runs.clone(),
            // Nobody looks anything up in it. Every field is named: one that is left out would be in no snapshot.
            reply_by_request: BTreeSet::new(),
            index: Index::default(),
        })
    }
}

impl Frozen {
    /// Every row, kind by kind, each in the order of its keys.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.0.rows()
    }

    /// The row of this key, if there is one.
    #[must_use]
    pub fn row(&self, key: &RowKey) -> Option<Row> {
        self.0.row(key)
    }

    /// The rows of events, audit entries and replies above these numbers.
    pub fn rows_above(&self, numbers: [u64; 3]) -> impl Iterator<Item = Row> + '_ {
        self.0.rows_above(numbers)
    }

    /// Counters and settings.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        self.0.meta()
    }
}
