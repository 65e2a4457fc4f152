//! Why bytes are no record.

/// Nothing here says whether that is damage: the end of a log looks the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsound {
    /// Not of this segment: never written, or left from an earlier use.
    Other,
    /// It claims this segment, and its checksum, length or form is wrong.
    Torn,
}
