//! Which commands may come: those of a level that every replica knows. The
//! leader says so once it has heard it from all of them, and it is never taken
//! back: what was written at a level stands in the log. It changes nothing
//! that anybody asked for, so no audit entry tells of it.

use crate::decided::Decided;
use crate::draft::Draft;
use crate::row::RowKey;

pub(crate) fn set(draft: &mut Draft<'_>, level: u16) -> Decided {
    if level <= draft.state().meta().level() {
        return Decided::noted(draft);
    }
    draft.touch(RowKey::Meta).meta.level = level;
    Decided::noted(draft)
}

impl crate::Meta {
    /// The highest level of commands that every replica knows.
    #[must_use]
    pub fn level(&self) -> u16 {
        self.level.max(1)
    }
}
