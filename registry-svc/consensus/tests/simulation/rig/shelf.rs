//! Where a machine's snapshots outlive its process.

use crate::rig::Dice;
use registry_consensus::Snapshot;
use std::sync::{Arc, Mutex, MutexGuard};

/// The shelf of one life; the next life of the replica gets another one over the same things.
#[derive(Clone)]
pub(crate) struct Shelf {
    things: Arc<Mutex<Things>>,
    life: u64,
    dice: Dice,
}

#[derive(Default)]
struct Things {
    life: u64,
    snapshot: Option<Snapshot>,
    /// Pieces of one that is being received, and whose they are.
    partial: Option<(String, Vec<u8>)>,
}

impl Shelf {
    pub(crate) fn new(dice: Dice) -> Self {
        Self { things: Arc::default(), life: 0, dice }
    }

    /// The next life has it from now on; what an earlier one puts there is lost.
    pub(crate) fn handed_on(&self) -> Self {
        let mut things = self.lock();
        things.life += 1;
        let life = things.life;
        if let Some((_, bytes)) = &mut things.partial {
            let left = self.dice.between(0, bytes.len() as u64) as usize;
            bytes.truncate(left);
        }
        drop(things);
        Self { things: self.things.clone(), life, dice: self.dice.clone() }
    }

    pub(crate) fn dice(&self) -> &Dice {
        &self.dice
    }

    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.lock().snapshot.clone()
    }

    /// In one piece or not at all; an older one never takes the place of a newer one.
    pub(crate) fn put(&self, snapshot: Snapshot) {
        let mut things = self.lock();
        let newer = things.snapshot.as_ref().is_none_or(|old| old.meta.at < snapshot.meta.at);
        if things.life == self.life && newer {
            things.snapshot = Some(snapshot);
            things.partial = None;
        }
    }

    pub(crate) fn partial(&self, id: &str) -> usize {
        self.lock().partial.as_ref().filter(|(known, _)| known == id).map_or(0, |(_, bytes)| bytes.len())
    }

    /// Appends a piece at an offset; false when somebody else writes there meanwhile.
    pub(crate) fn append(&self, id: &str, offset: usize, piece: &[u8]) -> bool {
        let mut things = self.lock();
        if things.life != self.life {
            return false;
        }
        if things.partial.as_ref().is_none_or(|(known, _)| known != id) {
            things.partial = Some((id.to_owned(), Vec::new()));
        }
        match &mut things.partial {
            Some((_, bytes)) if bytes.len() == offset => {
                bytes.extend(piece);
                true
            }
            Some(_) | None => false,
        }
    }

    pub(crate) fn received(&self, id: &str) -> Option<Vec<u8>> {
        self.lock().partial.as_ref().filter(|(known, _)| known == id).map(|(_, bytes)| bytes.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Things> {
        self.things.lock().unwrap()
    }
}
