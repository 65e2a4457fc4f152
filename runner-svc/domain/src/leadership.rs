//! Whom a node obeys: the newest leader that it has heard of, and nobody
//! before. Pure.
//!
//! A leader that was replaced may not know it yet, paused or cut off as it is;
//! what it still sends must have no effect on a node that its successor has
//! spoken to.

use serde::{Deserialize, Serialize};
use std::fmt;

/// When a leader leads: the epoch of its cluster, which grows when the cluster
/// is recovered or restored by force, and its term within that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Leadership {
    // In this order: a higher epoch outranks any term of a lower one.
    /// The epoch.
    pub epoch: u64,
    /// The term; 0: it does not say, as registries of an earlier version.
    pub term: u64,
}

impl Leadership {
    /// Whether a node that has obeyed this one refuses what `said` says.
    #[must_use]
    pub fn outranks(self, said: Self) -> bool {
        said.term != 0 && said < self
    }
}

impl fmt::Display for Leadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {} term {}", self.epoch, self.term)
    }
}

#[cfg(test)]
mod tests {
    use super::Leadership;

    fn at(epoch: u64, term: u64) -> Leadership {
        Leadership { epoch, term }
    }

    #[test]
    fn an_earlier_term_is_refused_and_an_epoch_outranks_every_term_before_it() {
        assert!(at(0, 5).outranks(at(0, 4)));
        assert!(at(2, 1).outranks(at(1, 900)));
        assert!(!at(0, 5).outranks(at(0, 5)));
        assert!(!at(0, 5).outranks(at(0, 6)));
        assert!(!at(1, 900).outranks(at(2, 1)));
    }

    #[test]
    fn who_does_not_say_its_term_is_not_judged_by_it() {
        assert!(!at(3, 5).outranks(at(0, 0)));
        assert!(!at(0, 0).outranks(at(0, 1)));
    }
}
