//! The runs that are held: by their ids, and those of one instance without a
//! look at all others.

use crate::run::Run;
use std::collections::{BTreeMap, HashMap};

/// In the order of their ids, so of their starts.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Boxed: a map keeps room for about twice as many as it holds.
    by_id: BTreeMap<u64, Box<Run>>,
    /// The ids of each instance, in order; one, as a rule.
    by_instance: HashMap<Box<str>, Vec<u64>>,
}

impl Runs {
    pub(crate) fn insert(&mut self, id: u64, run: Run) {
        self.remove(id);
        let ids = self.by_instance.entry(run.instance.as_str().into()).or_default();
        ids.insert(ids.partition_point(|other| *other < id), id);
        self.by_id.insert(id, Box::new(run));
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Box<Run>> {
        let run = self.by_id.remove(&id)?;
        if let Some(ids) = self.by_instance.get_mut(&*run.instance) {
            ids.retain(|one| *one != id);
            if ids.is_empty() {
                self.by_instance.remove(&*run.instance);
            }
        }
        Some(run)
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Run> {
        self.by_id.get(&id).map(|run| &**run)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Run> {
        self.by_id.get_mut(&id).map(|run| &mut **run)
    }

    /// The ids of an instance's runs, oldest first.
    pub(crate) fn ids_of(&self, instance: &str) -> &[u64] {
        self.by_instance.get(instance).map_or(&[], Vec::as_slice)
    }

    /// An instance's runs, oldest first.
    pub(crate) fn of(&self, instance: &str) -> impl DoubleEndedIterator<Item = &Run> {
        self.ids_of(instance).iter().filter_map(|id| self.get(*id))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        self.by_id.keys().copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Run)> + Clone {
        self.by_id.iter().map(|(id, run)| (*id, &**run))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Run> {
        self.iter().map(|(_, run)| run)
    }

    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        self.by_id.values_mut().map(|run| &mut **run)
    }
}
