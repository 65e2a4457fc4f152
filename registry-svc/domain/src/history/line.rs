//! The generations of one name.

use super::{Generation, Lineage};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The generations of one name that are kept, and what is known of all.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Line {
    /// Comes and goes by itself: rows are read in any order.
    pub(super) lineage: Option<Arc<Lineage>>,
    generations: BTreeMap<u64, Arc<Generation>>,
}

impl Line {
    /// Oldest first.
    pub(super) fn generations(&self) -> impl DoubleEndedIterator<Item = &Arc<Generation>> {
        self.generations.values()
    }

    pub(super) fn get(&self, generation: u64) -> Option<&Arc<Generation>> {
        self.generations.get(&generation)
    }

    /// The generation that the process has now.
    pub(super) fn current(&self) -> Option<&Arc<Generation>> {
        let lineage = self.lineage.as_ref().filter(|lineage| lineage.deleted.is_none())?;
        self.generations.get(&lineage.last)
    }

    pub(super) fn put(&mut self, generation: Arc<Generation>) {
        self.generations.insert(generation.generation, generation);
    }

    pub(super) fn remove(&mut self, generation: u64) -> Option<Arc<Generation>> {
        self.generations.remove(&generation)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lineage.is_none() && self.generations.is_empty()
    }
}
