//! Which process depends on which: circles, and the order of a stop.

use super::ProcessSpec;
use crate::ProcessName;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Which process depends on which.
#[derive(Debug, Default)]
pub struct Needs<'a> {
    needs: BTreeMap<&'a ProcessName, BTreeSet<&'a ProcessName>>,
}

impl<'a> Needs<'a> {
    /// From specs; those of one process may repeat it.
    pub fn of(specs: impl Iterator<Item = &'a ProcessSpec>) -> Self {
        let mut needs: BTreeMap<&ProcessName, BTreeSet<&ProcessName>> = BTreeMap::new();
        for spec in specs {
            needs.entry(&spec.name).or_default().extend(spec.depends_on.iter().map(|dependency| &dependency.process));
        }
        Self { needs }
    }

    fn needs_of(&self, process: &ProcessName) -> impl Iterator<Item = &'a ProcessName> + use<'a, '_> {
        self.needs.get(process).into_iter().flatten().copied()
    }

    /// The shortest way from a process back to itself, with it at both ends.
    #[must_use]
    pub fn circle(&self, process: &ProcessName) -> Option<Vec<&'a ProcessName>> {
        let (start, _) = self.needs.get_key_value(process)?;
        let mut came_from: BTreeMap<&ProcessName, &'a ProcessName> = BTreeMap::new();
        let mut open = VecDeque::from([*start]);
        while let Some(at) = open.pop_front() {
            for next in self.needs_of(at) {
                if next == *start {
                    let mut way = vec![*start, at];
                    while let Some(before) =
                        way.last().filter(|last| **last != *start).and_then(|last| came_from.get(*last))
                    {
                        way.push(before);
                    }
                    way.reverse();
                    if way.len() == 2 && at == *start {
                        // It needs itself.
                        return Some(vec![*start, *start]);
                    }
                    return Some(way);
                }
                if !came_from.contains_key(next) {
                    came_from.insert(next, at);
                    open.push_back(next);
                }
            }
        }
        None
    }

    /// Everything that a process needs, directly or through others.
    #[must_use]
    pub fn reach(&self, process: &'a ProcessName) -> BTreeSet<&'a ProcessName> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&'a ProcessName> = self.needs_of(process).collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(self.needs_of(next));
            }
        }
        reached
    }

    /// `processes` in the order of a stop: first those that none of the others
    /// needs, then what only those needed, and so on. Those that need each
    /// other go together.
    #[must_use]
    pub fn stop_order(&self, processes: BTreeSet<&'a ProcessName>) -> Vec<Vec<&'a ProcessName>> {
        let reach: BTreeMap<&ProcessName, BTreeSet<&ProcessName>> =
            processes.iter().map(|process| (*process, self.reach(process))).collect();
        let reaches = |from: &ProcessName, to: &ProcessName| reach.get(from).is_some_and(|reach| reach.contains(to));
        let mut left: Vec<&ProcessName> = processes.into_iter().collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let is_needed = |of: &ProcessName| left.iter().any(|by| reaches(by, of) && !reaches(of, by));
            // Never empty: to need one another without being needed back is an order, and an order has its greatest.
            let (now, later): (Vec<_>, Vec<_>) = left.iter().partition(|process| !is_needed(process));
            order.push(now);
            left = later;
        }
        order
    }

    /// For each of `processes` those others of them that have to end before it:
    /// who needs it, directly or through some that are not among them. Those
    /// that need each other wait for nobody of them; who waits for nobody is
    /// left out.
    #[must_use]
    pub fn stopped_after(
        &self,
        processes: &BTreeSet<&'a ProcessName>,
    ) -> BTreeMap<&'a ProcessName, BTreeSet<&'a ProcessName>> {
        let mut after: BTreeMap<&ProcessName, BTreeSet<&ProcessName>> = BTreeMap::new();
        for process in processes {
            let mut passed = BTreeSet::new();
            let mut open: Vec<&'a ProcessName> = self.needs_of(process).collect();
            while let Some(next) = open.pop() {
                if !passed.insert(next) {
                    continue;
                }
                match processes.get(next) {
                    Some(needed) if !self.reach(needed).contains(process) => {
                        after.entry(*needed).or_default().insert(*process);
                        // Those in a circle with it do not wait for it.
                        open.extend(self.needs_of(needed).filter(|one| self.reach(one).contains(needed)));
                    }
                    // One of the same circle, or one that is not stopped: whom it needs is needed through it.
                    Some(_) | None => open.extend(self.needs_of(next)),
                }
            }
        }
        after
    }
}

#[cfg(test)]
mod tests;
