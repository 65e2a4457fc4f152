//! Which node has a session: one each, the newest.

use process_model::NodeName;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// The sessions of all nodes; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    begun: u64,
    by_node: BTreeMap<NodeName, (u64, CancellationToken)>,
}

/// A session's place in the table; leaves it when dropped.
pub(crate) struct Place {
    sessions: Sessions,
    node: NodeName,
    number: u64,
    /// Set when a newer session of the node has begun.
    pub(crate) replaced: CancellationToken,
}

impl Sessions {
    /// A session begins; an older one of the node ends.
    pub(crate) fn begin(&self, node: &NodeName) -> Place {
        let mut table = self.lock();
        table.begun += 1;
        let (number, replaced) = (table.begun, CancellationToken::new());
        if let Some((_, older)) = table.by_node.insert(node.clone(), (number, replaced.clone())) {
            older.cancel();
        }
        Place { sessions: self.clone(), node: node.clone(), number, replaced }
    }

    /// Ends every session: the registry is closing.
    pub(crate) fn end_all(&self) {
        let by_node = std::mem::take(&mut self.lock().by_node);
        by_node.into_values().for_each(|(_, session)| session.cancel());
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.sessions.lock();
        if table.by_node.get(&self.node).is_some_and(|(number, _)| *number == self.number) {
            table.by_node.remove(&self.node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_session_replaces_the_older_and_outlives_its_end() {
        let (sessions, node) = (Sessions::default(), "a".parse().unwrap());
        let older = sessions.begin(&node);
        let newer = sessions.begin(&node);
        assert!(older.replaced.is_cancelled() && !newer.replaced.is_cancelled());
        drop(older);
        let newest = sessions.begin(&node);
        assert!(newer.replaced.is_cancelled() && !newest.replaced.is_cancelled());
    }
}
