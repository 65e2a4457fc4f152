//! Which rows have yet to be written. Their values are read from the state
//! when they are written, so a row that changes often is written once.

use registry_domain::RowKey;
use std::collections::HashSet;

/// More keys than this are not kept apart: rather is everything written. Only
/// a disk that stands still for minutes under full load comes here; a key is
/// about 40 bytes.
const MOST: usize = 1 << 20;

/// What has yet to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Dirty {
    /// These rows, and the position.
    Rows {
        keys: HashSet<RowKey>,
        /// Entries without rows move the position too.
        position: bool,
    },
    /// Every row: another state took the place of the one before.
    Everything,
}

impl Default for Dirty {
    fn default() -> Self {
        Self::Rows { keys: HashSet::new(), position: false }
    }
}

impl Dirty {
    /// These rows are new, different or gone.
    pub(super) fn note(&mut self, touched: Vec<RowKey>) {
        match self {
            Self::Rows { keys, position } => {
                *position = true;
                keys.extend(touched);
                if keys.len() > MOST {
                    *self = Self::Everything;
                }
            }
            Self::Everything => {}
        }
    }

    /// How many rows, as far as they are counted.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Rows { keys, .. } => keys.len(),
            Self::Everything => MOST,
        }
    }

    /// Whether there is nothing to write.
    pub(super) fn is_clean(&self) -> bool {
        match self {
            Self::Rows { keys, position } => keys.is_empty() && !position,
            Self::Everything => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_rows_to_keep_apart_are_all_rows() {
        let mut dirty = Dirty::default();
        assert!(dirty.is_clean());
        dirty.note((0..MOST as u64).map(RowKey::Event).collect());
        assert_eq!(dirty.len(), MOST);
        dirty.note(vec![RowKey::Event(7)]);
        assert!(matches!(dirty, Dirty::Rows { .. }), "it was there already");
        dirty.note(vec![RowKey::Meta]);
        assert_eq!(dirty, Dirty::Everything);
    }
}
