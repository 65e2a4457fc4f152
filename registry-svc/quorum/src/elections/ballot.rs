//! What a replica shows when it asks whether it may stand, and the answer.
//! Asking changes nothing anywhere: no term rises and no promise is made, so a
//! replica that is wrong about the leader may ask as often as it likes.

use crate::{Millis, Position};

/// A question: would you vote for me?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// The term that the asker is in now; it would stand for the next one.
    pub term: u64,
    /// The end of its log.
    pub last: Position,
    /// When it asked, on its own clock. Returned untouched: the asker measures the age of an answer by it.
    pub asked: Millis,
}

/// An answer to a [`Ballot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// The question, as it was asked.
    pub ballot: Ballot,
    /// Yes: I suspect the leader too, and your log is no older than mine.
    pub granted: bool,
    /// Milliseconds until my Raft library would give the vote; before that its lease refuses.
    pub lease_left: u64,
}
