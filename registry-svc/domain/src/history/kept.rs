//! What is kept, and what is found from it.

use super::{Generation, Lineage};
use process_model::ProcessName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Every generation that is kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    pub(crate) generations: BTreeMap<(ProcessName, u64), Arc<Generation>>,
    pub(crate) lineages: BTreeMap<ProcessName, Arc<Lineage>>,
    /// Found from both: generations that no process has now, by revision, so
    /// that the oldest of all can go first.
    pub(crate) past: BTreeMap<u64, (ProcessName, u64)>,
    /// Found from `lineages`: those of deleted processes, by the number of the
    /// deletion's audit entry.
    pub(crate) retired: BTreeSet<(u64, ProcessName)>,
}

impl History {
    /// The kept generations of a name, oldest first.
    pub fn of<'a>(&'a self, name: &ProcessName) -> impl DoubleEndedIterator<Item = &'a Generation> + use<'a> {
        self.generations.range((name.clone(), 0)..=(name.clone(), u64::MAX)).map(|(_, generation)| &**generation)
    }

    /// What is known of all generations of a name.
    #[must_use]
    pub fn lineage(&self, name: &ProcessName) -> Option<&Lineage> {
        self.lineages.get(name).map(|lineage| &**lineage)
    }

    /// What stands in rows, without what is found from it.
    pub(crate) fn rows_only(&self) -> Self {
        Self { generations: self.generations.clone(), lineages: self.lineages.clone(), ..Self::default() }
    }

    pub(crate) fn oldest(&self, name: &ProcessName) -> Option<&Generation> {
        self.of(name).next()
    }

    /// The generation that the process has now.
    pub(crate) fn current(&self, name: &ProcessName) -> Option<&Generation> {
        let lineage = self.lineages.get(name).filter(|lineage| lineage.deleted.is_none())?;
        self.generations.get(&(name.clone(), lineage.last)).map(|generation| &**generation)
    }

    pub(crate) fn retired_by(&self, audit: u64) -> Option<ProcessName> {
        self.retired.first().filter(|(number, _)| *number <= audit).map(|(_, name)| name.clone())
    }

    /// Takes a generation in; in any order with lineages.
    pub(crate) fn load_generation(&mut self, generation: Arc<Generation>) {
        let key = (generation.process.clone(), generation.generation);
        let is_current = (self.lineages.get(&key.0)).is_some_and(|one| one.deleted.is_none() && one.last == key.1);
        if !is_current {
            self.past.insert(generation.revision, key.clone());
        }
        self.generations.insert(key, generation);
    }

    /// Takes in, or replaces, what is known of a name.
    pub(crate) fn load_lineage(&mut self, lineage: Arc<Lineage>) {
        let name = lineage.process.clone();
        if let Some(old) = self.lineages.remove(&name) {
            self.mark(&name, old.last, false);
            if let Some(audit) = old.deleted {
                self.retired.remove(&(audit, name.clone()));
            }
        }
        match lineage.deleted {
            None => self.mark(&name, lineage.last, true),
            Some(audit) => drop(self.retired.insert((audit, name.clone()))),
        }
        self.lineages.insert(name, lineage);
    }

    fn mark(&mut self, name: &ProcessName, generation: u64, current: bool) {
        let key = (name.clone(), generation);
        let Some(revision) = self.generations.get(&key).map(|one| one.revision) else { return };
        if current {
            self.past.remove(&revision);
        } else {
            self.past.insert(revision, key);
        }
    }

    pub(crate) fn remove_generation(&mut self, name: &ProcessName, generation: u64) {
        if let Some(gone) = self.generations.remove(&(name.clone(), generation)) {
            self.past.remove(&gone.revision);
        }
    }

    /// Forgets a name and returns its last generation.
    pub(crate) fn remove_lineage(&mut self, name: &ProcessName) -> u64 {
        let Some(gone) = self.lineages.remove(name) else { return 0 };
        if let Some(audit) = gone.deleted {
            self.retired.remove(&(audit, name.clone()));
        }
        gone.last
    }
}
