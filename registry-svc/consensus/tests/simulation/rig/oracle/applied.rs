//! What becomes visible in a machine.

use super::{Oracle, pair};
use crate::rig::SimDisk;
use registry_consensus::{Committed, Entry, Position, SnapshotMeta};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

impl Oracle {
    /// A life of a replica begins with the state of this snapshot, or with none.
    pub(crate) fn opened(&self, life: (u64, u64), at: Option<Position>) {
        if let Some(at) = at {
            self.lock().reached.insert(life, at.index);
        }
    }

    /// Its machine is about to apply these.
    pub(crate) fn applying(&self, life: (u64, u64), entries: &[Committed], disk: &SimDisk) {
        let mut state = self.lock();
        for entry in entries {
            let (at, digest) = (entry.at, digest(&entry.entry));
            let known = *state.committed.entry(at.index).or_insert((at.term, digest));
            if known != (at.term, digest) {
                state.violated(format!(
                    "replica {} applies another {at} than was applied there before: {entry:?}",
                    life.0
                ));
            }
            let before = state.reached.insert(life, at.index);
            if before.map_or(0, |before| before + 1) != at.index {
                state.violated(format!("replica {} applies {at} after index {before:?}", life.0));
            }
            if !disk.look(|history, purged| history.entries.contains(&pair(at)) || covered(purged, at)) {
                state.violated(format!("replica {} applies {at}, which is not durable there", life.0));
            }
        }
    }

    /// It made a snapshot.
    pub(crate) fn snapshot_taken(&self, life: (u64, u64), meta: &SnapshotMeta, disk: &SimDisk) {
        let Some(at) = meta.at else { return };
        self.count("snapshot taken");
        if !disk.look(|history, purged| history.entries.contains(&pair(at)) || covered(purged, at)) {
            self.violated(format!("replica {} has {at} in a snapshot, and not on its disk", life.0));
        }
    }

    /// It replaced its state by a snapshot of somebody else.
    pub(crate) fn installed(&self, life: (u64, u64), meta: &SnapshotMeta) {
        let Some(at) = meta.at else { return };
        self.count("snapshot installed");
        self.note(|| format!("replica {} installed a snapshot up to {at}", life.0));
        let mut state = self.lock();
        let before = state.reached.insert(life, at.index);
        if before.is_some_and(|before| before > at.index) {
            state.violated(format!("replica {} goes back from index {before:?} to a snapshot up to {at}", life.0));
        }
        if state.committed.get(&at.index).is_none_or(|(term, _)| *term != at.term) {
            state.violated(format!("replica {} has a snapshot of {at}, which nobody applied", life.0));
        }
    }
}

pub(super) fn covered(purged: Option<registry_log::Position>, at: Position) -> bool {
    purged.is_some_and(|purged| purged.index >= at.index)
}

fn digest(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    match entry {
        Entry::Blank => 0.hash(&mut hasher),
        Entry::Members(members) => format!("{members:?}").hash(&mut hasher),
        Entry::Batch(payload) => payload.bytes().hash(&mut hasher),
    }
    hasher.finish()
}
