//! Kinds of damage.

use std::fmt;

/// What is wrong at a place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A segment's header has a wrong checksum or no meaning.
    Header,
    /// The header is another segment's.
    WrongSegment {
        /// The number that the header has.
        found: u64,
    },
    /// A record is unreadable although it was durable: later ones were written
    /// after it had been synced, or a mark counts it.
    Record,
    /// A record is sound and does not follow the one before it.
    Chain,
    /// A record is sound and says what cannot be at this place.
    Content,
    /// Both slots of the marks are unreadable.
    Marks,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the header of the segment is unreadable"),
            Self::WrongSegment { found } => write!(f, "this is segment {found} under another's name"),
            Self::Record => f.write_str("a record that was durable is unreadable"),
            Self::Chain => f.write_str("a record does not follow the one before it"),
            Self::Content => f.write_str("a record says what cannot be here"),
            Self::Marks => f.write_str("neither of the two marks is readable"),
        }
    }
}
