//! A planned change of the leader, seen from the heir. The leader's wish stands
//! in for the majority that suspects; it is heeded once a term, and only when
//! nothing of the leader's log is missing here.

use crate::{Millis, Position, ReplicaId};

/// The leader's wish, until it is fulfilled or refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) from: ReplicaId,
    pub(super) last: Position,
    pub(super) until: Millis,
}

/// What the leaders asked of us.
#[derive(Clone, Debug, Default)]
pub(super) struct TakeOver {
    pub(super) wish: Option<Wish>,
    /// The last term whose leader was heeded: a copy of the message that comes late must not raise a second term.
    heeded: Option<u64>,
}

impl TakeOver {
    /// The leader of this term, or of a later one, was followed already.
    pub(super) fn is_heeded(&self, term: u64) -> bool {
        self.heeded.is_some_and(|heeded| term <= heeded)
    }

    /// We stand for it.
    pub(super) fn heed(&mut self, term: u64) {
        self.wish = None;
        self.heeded = Some(term);
    }
}
