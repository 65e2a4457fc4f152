//! What is kept, and what is found from it.

use super::line::Line;
use super::{Generation, Lineage};
use process_model::ProcessName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Every generation that is kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// By name; a name of which nothing is known has none. Shared with a copy until it changes.
    lines: BTreeMap<ProcessName, Arc<Line>>,
    /// Found from them: generations that no process has now, by revision, so
    /// that the oldest of all can go first.
    past: BTreeMap<u64, (ProcessName, u64)>,
    /// Found from them: those of deleted processes, by the number of the
    /// deletion's audit entry.
    retired: BTreeSet<(u64, ProcessName)>,
}

impl History {
    /// The kept generations of a name, oldest first.
    pub fn of(&self, name: &ProcessName) -> impl DoubleEndedIterator<Item = &Generation> + use<'_> {
        self.lines.get(name).into_iter().flat_map(|line| line.generations()).map(|generation| &**generation)
    }

    /// One generation of a name.
    pub(crate) fn get(&self, name: &ProcessName, generation: u64) -> Option<&Arc<Generation>> {
        self.lines.get(name)?.get(generation)
    }

    /// What is known of all generations of a name.
    #[must_use]
    pub fn lineage(&self, name: &ProcessName) -> Option<&Arc<Lineage>> {
        self.lines.get(name)?.lineage.as_ref()
    }

    /// All generations, by name and number.
    pub(crate) fn generations(&self) -> impl Iterator<Item = &Arc<Generation>> {
        self.lines.values().flat_map(|line| line.generations())
    }

    /// All lineages, by name.
    pub(crate) fn lineages(&self) -> impl Iterator<Item = &Arc<Lineage>> {
        self.lines.values().filter_map(|line| line.lineage.as_ref())
    }

    /// What stands in rows, without what is found from it.
    pub(crate) fn rows_only(&self) -> Self {
        Self { lines: self.lines.clone(), ..Self::default() }
    }

    pub(crate) fn oldest(&self, name: &ProcessName) -> Option<&Generation> {
        self.of(name).next()
    }

    /// The generation that the process has now.
    pub(crate) fn current(&self, name: &ProcessName) -> Option<&Arc<Generation>> {
        self.lines.get(name)?.current()
    }

    /// How many generations there are that no process has now.
    pub(crate) fn count_past(&self) -> usize {
        self.past.len()
    }

    /// The generations that no process has now, the oldest first.
    pub(crate) fn past(&self) -> impl Iterator<Item = &(ProcessName, u64)> {
        self.past.values()
    }

    /// The first name whose deletion is told by this audit entry or one before.
    pub(crate) fn retired_by(&self, audit: u64) -> Option<&ProcessName> {
        self.retired.first().filter(|(number, _)| *number <= audit).map(|(_, name)| name)
    }

    /// Takes in the generation that a process has from now on.
    pub(crate) fn advance(&mut self, generation: Arc<Generation>, lineage: Arc<Lineage>) {
        let name = &generation.process;
        let line = line_of(&mut self.lines, name);
        if let Some(before) = line.current() {
            self.past.insert(before.revision, (name.clone(), before.generation));
        }
        if let Some(audit) = line.lineage.as_ref().and_then(|lineage| lineage.deleted) {
            self.retired.remove(&(audit, name.clone()));
        }
        line.lineage = Some(lineage);
        line.put(generation);
    }

    /// Takes a generation in; in any order with lineages.
    pub(crate) fn load_generation(&mut self, generation: Arc<Generation>) {
        let (name, number, revision) = (generation.process.clone(), generation.generation, generation.revision);
        let line = line_of(&mut self.lines, &name);
        line.put(generation);
        if line.current().is_none_or(|current| current.generation != number) {
            self.past.insert(revision, (name, number));
        }
    }

    /// Takes in, or replaces, what is known of a name.
    pub(crate) fn load_lineage(&mut self, lineage: Arc<Lineage>) {
        let name = &lineage.process;
        let line = line_of(&mut self.lines, name);
        if let Some(before) = line.current() {
            self.past.insert(before.revision, (name.clone(), before.generation));
        }
        if let Some(audit) = line.lineage.as_ref().and_then(|lineage| lineage.deleted) {
            self.retired.remove(&(audit, name.clone()));
        }
        if let Some(audit) = lineage.deleted {
            self.retired.insert((audit, name.clone()));
        }
        line.lineage = Some(lineage);
        if let Some(current) = line.current() {
            self.past.remove(&current.revision);
        }
    }

    pub(crate) fn remove_generation(&mut self, name: &ProcessName, generation: u64) {
        let Some(line) = self.lines.get_mut(name).map(Arc::make_mut) else { return };
        if let Some(gone) = line.remove(generation) {
            self.past.remove(&gone.revision);
        }
        if line.is_empty() {
            self.lines.remove(name);
        }
    }

    /// Forgets a name and returns its last generation.
    pub(crate) fn remove_lineage(&mut self, name: &ProcessName) -> u64 {
        let Some(line) = self.lines.get_mut(name).map(Arc::make_mut) else { return 0 };
        let current = line.current().map(|current| (current.revision, current.generation));
        let Some(gone) = line.lineage.take() else { return 0 };
        // Without a lineage, what it had is past.
        self.past.extend(current.map(|(revision, generation)| (revision, (name.clone(), generation))));
        if let Some(audit) = gone.deleted {
            self.retired.remove(&(audit, name.clone()));
        }
        if line.is_empty() {
            self.lines.remove(name);
        }
        gone.last
    }
}

/// Names have a line for long: most of the time this is one look.
fn line_of<'a>(lines: &'a mut BTreeMap<ProcessName, Arc<Line>>, name: &ProcessName) -> &'a mut Line {
    Arc::make_mut(lines.entry(name.clone()).or_default())
}
