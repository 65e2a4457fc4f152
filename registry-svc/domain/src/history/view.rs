//! What readers ask of the histories. A process of a state that knew no
//! generations has the one that its row holds.

use super::{Generation, History};
use crate::State;
use process_model::ProcessName;
use std::borrow::Cow;

impl State {
    /// Every generation that is kept.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The kept generations of a name, oldest first; none: the name was never
    /// used, or nothing of it is kept.
    #[must_use]
    pub fn generations(&self, name: &ProcessName) -> Vec<Cow<'_, Generation>> {
        let kept: Vec<_> = self.history.of(name).map(Cow::Borrowed).collect();
        if kept.is_empty() {
            let process = self.processes.get(name);
            return process.map(|process| Cow::Owned(Generation::of(process))).into_iter().collect();
        }
        kept
    }

    /// One generation.
    #[must_use]
    pub fn generation(&self, name: &ProcessName, generation: u64) -> Option<Cow<'_, Generation>> {
        if let Some(kept) = self.history.get(name, generation) {
            return Some(Cow::Borrowed(kept));
        }
        let process = self.processes.get(name).filter(|process| process.generation == generation)?;
        Some(Cow::Owned(Generation::of(process)))
    }

    /// Everything that is wrong with the histories; see [`crate::invariants`].
    pub(crate) fn broken_history(&self, faults: &mut Vec<String>) {
        for (name, process) in &self.processes {
            let Some(lineage) = self.history.lineage(name) else { continue };
            let current = self.history.current(name);
            let fits = current.is_some_and(|one| one.spec == process.spec && one.revision == process.changed);
            if lineage.deleted.is_some() || lineage.last != process.generation || !fits {
                faults.push(format!("{name}: its history does not end with generation {}", process.generation));
            }
        }
        for lineage in self.history.lineages() {
            let name = &lineage.process;
            if lineage.deleted.is_none() != self.processes.contains_key(name) {
                faults.push(format!("{name}: its history says that it is deleted: {:?}", lineage.deleted));
            }
            let kept = self.history.of(name).count() as u64;
            // What the rollout of a process had pinned when it was deleted goes when its name is used again, or with the
            // audit entry of its deletion.
            let is_settled = self.processes.get(name).is_some_and(|process| super::is_settled(process));
            let too_many = is_settled && kept > self.meta.retention.generations;
            if too_many || self.history.of(name).any(|one| one.generation > lineage.last) {
                faults.push(format!("{name}: {kept} generations are kept, the last is {}", lineage.last));
            }
        }
        let rebuilt = self.history.generations().cloned().fold(
            self.history.lineages().cloned().fold(History::default(), |mut history, lineage| {
                history.load_lineage(lineage);
                history
            }),
            |mut history, generation| {
                history.load_generation(generation);
                history
            },
        );
        if rebuilt != self.history {
            faults.push("what is found from the histories is not what they say".to_owned());
        }
        let oldest = self.audit.first().map_or(self.meta.audited, |(number, _)| number);
        if let Some(name) = oldest.checked_sub(1).and_then(|gone| self.history.retired_by(gone)) {
            faults.push(format!("{name}: its history outlives the audit entry of its deletion"));
        }
    }
}
