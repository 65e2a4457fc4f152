//! Who waits for the answer to a call.

use super::Outcome;
use super::sameness::{Sameness, Wants};
use registry_consensus::{Answer, Call, PeerFault, ReplicaId};
use tokio::sync::oneshot;

/// What was asked, as far as the answer has to fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Append,
    Vote,
    Confirm,
    ReadIndex,
    Service,
}

/// A call that is not answered yet.
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) same: Option<Sameness>,
    first: Waiter,
    /// Those who asked for the same while it was under way.
    more: Vec<Waiter>,
}

/// One who waits, and what it asked for beyond what was sent.
pub(super) struct Waiter {
    pub(super) waiter: oneshot::Sender<Outcome>,
    pub(super) wants: Option<Wants>,
}

impl Kind {
    pub(super) fn of(call: &Call) -> Self {
        match call {
            Call::Append(_) => Self::Append,
            Call::Vote(_) => Self::Vote,
            Call::Confirm { .. } => Self::Confirm,
            Call::ReadIndex { .. } => Self::ReadIndex,
            Call::Service(_) => Self::Service,
        }
    }

    /// Whether this is an answer to that.
    pub(super) fn fits(self, answer: &Answer) -> bool {
        match answer {
            Answer::Appended(_) => self == Self::Append,
            Answer::Vote(_) => self == Self::Vote,
            Answer::Confirmed { .. } => self == Self::Confirm,
            Answer::ReadIndex(_) => self == Self::ReadIndex,
            Answer::Service(_) => self == Self::Service,
            Answer::Busy => true,
        }
    }
}

impl Asked {
    pub(super) fn new(kind: Kind, first: Waiter, same: Option<Sameness>) -> Self {
        Self { kind, same, first, more: Vec::new() }
    }

    /// One more waits. Those who have given up in the meantime make room for
    /// it: a caller who repeats itself on a slow link adds nothing.
    pub(super) fn join(&mut self, waiter: Waiter) {
        self.more.retain(|one| !one.waiter.is_closed());
        self.more.push(waiter);
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        1 + self.more.len()
    }

    /// The answer, for everybody.
    pub(super) fn answer(self, answer: &Answer) {
        let sent = self.first.wants;
        for one in std::iter::once(self.first).chain(self.more) {
            let own = match (sent, one.wants) {
                (Some(sent), Some(wants)) => wants.of(sent, answer),
                (_, _) => answer.clone(),
            };
            // Whoever has given up does not hear it.
            let _ = one.waiter.send(Ok(own));
        }
    }

    /// What came is no answer to this.
    pub(super) fn nonsense(self, peer: ReplicaId) {
        for one in std::iter::once(self.first).chain(self.more) {
            let _ = one.waiter.send(Err(PeerFault::Nonsense(peer)));
        }
    }
}
