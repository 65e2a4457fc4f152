//! Which rows have yet to be written. Their values are read from the state
//! when they are written, so a row that changes often is written once, and one
//! that has gone again meanwhile never.

use super::keys::Keys;
use registry_domain::{Row, RowKey, State};

/// More keys than this are not kept apart: rather is everything written. Only
/// a disk that stands still for minutes under full load comes here; a key is
/// about 40 bytes.
const MOST: usize = 1 << 20;

/// What has yet to be written.
#[derive(Debug)]
pub(super) enum Dirty {
    /// These rows, and the position.
    Rows {
        /// Not those that are fresh.
        keys: Keys,
        fresh: Fresh,
        /// Entries without rows move the position too.
        position: bool,
    },
    /// Every row: another state took the place of the one before.
    Everything,
}

/// Rows that are numbered as they come, and came since the store was written:
/// events, audit entries, replies. Under load they are most of what changes,
/// and it suffices to know where they begin. The store has none of them, so
/// those that have gone again need not be removed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fresh {
    /// They have higher numbers.
    pub(super) above: [u64; 3],
    last: [u64; 3],
}

impl Fresh {
    fn above(numbers: [u64; 3]) -> Self {
        Self { above: numbers, last: numbers }
    }

    /// Takes a key up; `false`: it is none of these.
    fn takes(&mut self, key: &RowKey) -> bool {
        let (kind, number) = match key {
            RowKey::Event(revision) => (0, *revision),
            RowKey::Audit(number) => (1, *number),
            RowKey::Reply(number) => (2, *number),
            RowKey::Meta
            | RowKey::Process(_)
            | RowKey::Instance(_)
            | RowKey::Node(_)
            | RowKey::Action(_)
            | RowKey::Generation(..)
            | RowKey::Lineage(_)
            | RowKey::Member(_)
            | RowKey::Piece(_)
            | RowKey::Inventory(_)
            | RowKey::Invitation(_)
            | RowKey::Runs(_) => return false,
        };
        self.last[kind] = self.last[kind].max(number);
        number > self.above[kind]
    }

    /// How many there were at most: where a backup was restored numbers are missing.
    fn len(&self) -> usize {
        let counts = self.last.iter().zip(self.above).map(|(last, above)| usize::try_from(last - above));
        counts.map(|count| count.unwrap_or(usize::MAX)).fold(0, usize::saturating_add)
    }
}

impl Dirty {
    /// Nothing, over a store that holds what this state shows.
    pub(super) fn nothing_since(state: &State) -> Self {
        Self::Rows { keys: Keys::new(), fresh: Fresh::above(state.highest()), position: false }
    }

    /// These rows are new, different or gone.
    pub(super) fn note(&mut self, touched: Vec<RowKey>) {
        match self {
            Self::Rows { keys, fresh, position } => {
                *position = true;
                touched.into_iter().filter(|key| !fresh.takes(key)).for_each(|key| keys.insert(key));
                if keys.len() > MOST {
                    *self = Self::Everything;
                }
            }
            Self::Everything => {}
        }
    }

    /// How many rows, as far as they are counted: some of the fresh ones may have gone.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Rows { keys, fresh, .. } => keys.len().saturating_add(fresh.len()),
            Self::Everything => MOST,
        }
    }

    /// Whether there is nothing to write.
    pub(super) fn is_clean(&self) -> bool {
        match self {
            Self::Rows { position, .. } => !position,
            Self::Everything => false,
        }
    }
}

/// Fresh rows, and those of other keys as they are now, also that they have
/// gone.
pub(super) fn rows_now(
    fresh: impl Iterator<Item = Row>,
    keys: Keys,
    row: impl Fn(&RowKey) -> Option<Row>,
) -> Vec<(RowKey, Option<Row>)> {
    let known = keys.into_iter().map(|key| {
        let row = row(&key);
        (key, row)
    });
    fresh.map(|row| (row.key(), Some(row))).chain(known).collect()
}

/// Neighbours, which share a page of the store, one after the other. Not to be
/// done while the state is locked.
pub(super) fn in_order(mut rows: Vec<(RowKey, Option<Row>)>) -> impl ExactSizeIterator<Item = (RowKey, Option<Row>)> {
    rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    rows.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::{Event, Timestamp};
    use std::sync::Arc;

    /// A state with these events.
    fn state(revisions: impl IntoIterator<Item = u64>) -> State {
        let mut state = State::default();
        for revision in revisions {
            state.load(Row::Event(Arc::new(Event {
                revision,
                time: Timestamp(1),
                kind: "node.ready".to_owned(),
                process: None,
                instance: None,
                node: None,
                message: String::new(),
                actor: String::new(),
                detail: None,
            })));
        }
        state
    }

    #[test]
    fn too_many_rows_to_keep_apart_are_all_rows() {
        let mut dirty = Dirty::nothing_since(&State::default());
        assert!(dirty.is_clean());
        dirty.note((0..MOST as u64).map(RowKey::Action).collect());
        assert_eq!(dirty.len(), MOST);
        dirty.note(vec![RowKey::Action(7)]);
        assert!(matches!(dirty, Dirty::Rows { .. }), "it was there already");
        dirty.note(vec![RowKey::Meta]);
        assert!(matches!(dirty, Dirty::Everything), "{dirty:?}");
    }

    #[test]
    fn what_came_since_is_a_range_and_what_went_of_before_is_removed() {
        let mut dirty = Dirty::nothing_since(&state(8..=10));
        // Two of before go; many come, and all but the last of them go again.
        dirty.note(vec![RowKey::Event(8), RowKey::Event(9), RowKey::Audit(1)]);
        dirty.note((11..=500_000).map(RowKey::Event).collect());
        assert!(!dirty.is_clean());
        assert_eq!(dirty.len(), 2 + 499_990 + 1);
        let Dirty::Rows { keys, fresh, .. } = dirty else { panic!("{dirty:?}") };
        assert_eq!(keys.len(), 2, "of a range the ends suffice");

        let now = state([10, 499_999, 500_000]);
        let rows = rows_now(now.rows_above(fresh.above), keys, |key| now.row(key));
        let rows: Vec<_> = in_order(rows).map(|(key, row)| (key, row.is_some())).collect();
        let event = |revision, is_there| (RowKey::Event(revision), is_there);
        assert_eq!(rows, [event(8, false), event(9, false), event(499_999, true), event(500_000, true)]);
    }
}
