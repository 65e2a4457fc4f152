//! How the disk is filled.

/// Whether the log has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Space {
    /// The next segment and the reserve are there, or on their way.
    #[default]
    Ample,
    /// The disk has no room for the next segment or the reserve. The reserve
    /// was given up, so that a snapshot can be written; appends still go into
    /// the room that is left. Time to hand over, to take a snapshot, to purge.
    Low,
    /// Appends are refused. Votes, truncations and purges still go.
    Full,
}
