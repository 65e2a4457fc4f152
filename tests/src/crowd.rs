//! Runners without programs, thousands in one process: each a session of its own over a connection of its own, as real
//! runners have them. They dial, obey and come again by the same rules; what they are told to run, they say that it runs.
//!
//! | file | what |
//! |---|---|
//! | `invited` | a node's name, and how it reaches the registry |
//! | `member` | one of them: dials, and again, for ever |
//! | `conversation` | one session |
//! | `programs` | what it was told to run, and what of that the registry has not acknowledged |
//! | `redial` | when to dial again, and whom |
//! | `tally` | what all of them have seen |

mod conversation;
mod invited;
mod member;
mod programs;
mod redial;
mod tally;

pub use invited::Invited;
pub use tally::Counts;

use member::Member;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tally::Tally;
use tokio::task::JoinSet;

/// A crowd of simulated runners. All of them are gone when it is dropped.
pub struct Crowd {
    tally: Arc<Tally>,
    members: JoinSet<Infallible>,
}

impl Crowd {
    /// Everybody dials at once. Inside of a Tokio runtime.
    ///
    /// # Panics
    /// Outside of one.
    #[must_use]
    pub fn gather(invited: Vec<Invited>) -> Self {
        let tally = Arc::new(Tally::default());
        let mut members = JoinSet::new();
        for (number, invited) in invited.into_iter().enumerate() {
            members.spawn(Member::new(number as u64, invited, tally.clone()).live());
        }
        Self { tally, members }
    }

    /// How many they are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// What they have seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// Waits until it holds of what they have seen; returns when that was.
    ///
    /// # Errors
    /// It does not within this time: what they have seen instead.
    pub async fn until(&self, within: Duration, holds: impl FnMut(&Counts) -> bool) -> Result<Instant, Counts> {
        let waited = tokio::time::timeout(within, self.tally.until(holds)).await;
        waited.map_err(|_| self.counts())
    }

    /// When somebody was welcomed after a moment, in order, counted from it.
    #[must_use]
    pub fn welcomes_since(&self, moment: Instant) -> Vec<Duration> {
        self.tally.welcomes_since(moment)
    }

    /// Heartbeats that were answered.
    #[must_use]
    pub fn heartbeats(&self) -> u64 {
        self.tally.heartbeats()
    }
}
