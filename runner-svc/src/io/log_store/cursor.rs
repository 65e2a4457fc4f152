//! A place in an output's history, as text that a client gives back.
//!
//! `l<lineage>.<position>` where the keeper keeps an index: a position in all
//! that was ever written, which rotation and compression do not change.
//! `f<device>.<inode>.<offset>` for a file without one. A place that is no
//! longer there is the nearest one that is: nothing is left out that could be
//! shown, at the price of showing something twice.

use std::fmt;
use std::str::FromStr;

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// In a history.
    History { lineage: u64, position: u64 },
    /// In a file.
    File { id: (u64, u64), offset: u64 },
}

/// What is no cursor.
#[derive(Debug, thiserror::Error)]
#[error("it is no cursor of a log")]
pub(crate) struct NoCursor;

impl Cursor {
    /// The place so many bytes before it.
    pub(crate) fn back(self, bytes: u64) -> Self {
        match self {
            Self::History { lineage, position } => Self::History { lineage, position: position.saturating_sub(bytes) },
            Self::File { id, offset } => Self::File { id, offset: offset.saturating_sub(bytes) },
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History { lineage, position } => write!(f, "l{lineage:x}.{position:x}"),
            Self::File { id: (device, inode), offset } => write!(f, "f{device:x}.{inode:x}.{offset:x}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (kind, numbers) = text.split_at_checked(1).ok_or(NoCursor)?;
        let numbers: Vec<u64> =
            numbers.split('.').map(|n| u64::from_str_radix(n, 16)).collect::<Result<_, _>>().map_err(|_| NoCursor)?;
        match (kind, numbers.as_slice()) {
            ("l", [lineage, position]) => Ok(Self::History { lineage: *lineage, position: *position }),
            ("f", [device, inode, offset]) => Ok(Self::File { id: (*device, *inode), offset: *offset }),
            _ => Err(NoCursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_as_written_and_nothing_else_does() {
        for cursor in
            [Cursor::History { lineage: u64::MAX, position: 77 }, Cursor::File { id: (65024, 9), offset: 1 << 40 }]
        {
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        }
        for text in ["", "l", "l1", "l1.2.3", "f1.2", "x1.2", "lé.1", "l-1.2", "é1.2"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
