//! How long the elections wait for what. All in milliseconds of a monotonic
//! clock; everything follows from one number that an operator may set.

/// The waits of the elections, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// So long without a sign of the leader, or of a majority for the leader, is evidence.
    pub silence: u64,
    /// So long a broken link may stay unanswered before that is evidence.
    pub unanswered: u64,
    /// The lease of the Raft library: after an append of the leader, a voter
    /// refuses every candidate for so long. The library is configured with the same number.
    pub lease: u64,
    /// Added to a lease: the library counts from when it took the append up, a little after it was heard.
    pub margin: u64,
    /// So long a round of pre-votes, or a candidate, has before the next try.
    pub retry: u64,
    /// The most that chance adds to `retry`; doubled by each try in vain.
    pub jitter: u64,
    /// So long, counted from when it was asked for, a granted pre-vote may be used.
    pub grant: u64,
    /// A suspended leader asks around, and says that it resigned, so often.
    pub confirm: u64,
    /// So long a hand-over may take before the leader goes on leading.
    pub hand_over: u64,
}

impl Timing {
    /// What fits an election timeout (`--election-timeout`, 1,000 by default).
    ///
    /// The lease bounds the round trip of an election as well: openraft 0.9
    /// forgets an answer to a vote after its `election_timeout_min`, which is
    /// one less than the lease. Links slower than that need a longer timeout.
    #[must_use]
    pub fn of_election_timeout(silence: u64) -> Self {
        let silence = silence.max(300);
        let lease = (silence / 10).max(102);
        Self {
            silence,
            unanswered: (silence * 3 / 10).max(100),
            lease,
            margin: 2,
            retry: lease + 48,
            jitter: lease / 2,
            grant: silence / 2,
            confirm: lease,
            hand_over: 500.max(lease * 2),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::of_election_timeout(1_000)
    }
}
