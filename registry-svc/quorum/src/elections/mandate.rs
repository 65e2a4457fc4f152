//! By what right a replica stands.

/// Who agreed that the next term may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mandate {
    /// A majority of the voters suspects the leader, or there is none.
    Majority,
    /// The leader itself asks for it.
    Leader {
        /// We and the leader are no majority, and the others have leases left: raise their promise first (an empty
        /// append of the next term without a leader), on the same link before the request for the vote.
        past_leases: bool,
    },
}
