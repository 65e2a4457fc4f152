//! The vote.

/// A replica's promise: it takes part in no term before this one, and in this
/// term it voted for nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// The term.
    pub term: u64,
    /// For whom, if for anybody.
    pub voted_for: Option<u64>,
    /// Whether a quorum granted it.
    pub committed: bool,
}
