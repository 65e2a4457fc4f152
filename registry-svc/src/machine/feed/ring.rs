//! The newest events, without a gap. Older ones are found in the state: who
//! looks there comes back after a long time, or is slow.

use super::Told;
use process_model::Event;
use registry_domain::State;
use std::collections::VecDeque;
use std::sync::Arc;

/// Events held at most: some seconds of full load. They are the state's own,
/// but each has its encoded form besides, 250 bytes as a rule and 16 KiB with
/// a program's last output.
const HELD: usize = 2_048;

/// The newest events.
#[derive(Debug, Default)]
pub(super) struct Ring {
    told: VecDeque<Arc<Told>>,
    /// Revision of the newest, whether it is held or not.
    newest: u64,
}

/// What there is from a revision on.
#[derive(Debug)]
pub enum Since {
    /// These first; at least one.
    Events(Vec<Arc<Told>>),
    /// It has not happened yet.
    Nothing,
    /// It is older than what is held here.
    Older {
        /// The newest revision.
        newest: u64,
    },
}

impl Ring {
    /// Begins anew with the newest events of a state.
    pub(super) fn start(&mut self, state: &State) {
        self.newest = state.revision();
        // Where a backup was restored revisions are missing, and nobody goes on from before.
        let whole = state.events().range(state.oldest_revision()..).rev();
        self.told = whole.take(HELD).map(|(_, event)| Arc::new(Told::new(event.clone()))).collect();
        self.told.make_contiguous().reverse();
    }

    /// Appends; what is older than `oldest` goes.
    pub(super) fn extend(&mut self, events: Vec<Arc<Event>>, oldest: u64) {
        for event in events {
            // Told already, with the state that took the place of another.
            if event.revision <= self.newest {
                continue;
            }
            if event.revision != self.newest + 1 {
                self.told.clear();
            }
            self.newest = event.revision;
            self.told.push_back(Arc::new(Told::new(event)));
        }
        while self.told.len() > HELD || self.told.front().is_some_and(|first| first.event.revision < oldest) {
            self.told.pop_front();
        }
    }

    pub(super) fn since(&self, next: u64, most: usize) -> Since {
        if next > self.newest {
            return Since::Nothing;
        }
        let first = self.told.front().map_or(u64::MAX, |first| first.event.revision);
        if next < first {
            return Since::Older { newest: self.newest };
        }
        let skip = usize::try_from(next - first).unwrap_or(usize::MAX);
        Since::Events(self.told.iter().skip(skip).take(most).cloned().collect())
    }
}
