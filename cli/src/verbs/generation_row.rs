//! A definition that a process has had, as a row, a phrase or a document.
//! Shared by `history` and `diff`.

use crate::output::{Cell, Column, Listed, Tone, human};
use pm_proto::json::JsonError;
use pm_proto::v1::Generation;

/// One definition.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationRow(pub Generation);

impl GenerationRow {
    /// `generation 3, by admin 5m ago: why`.
    #[must_use]
    pub fn phrase(&self) -> String {
        let Self(generation) = self;
        let ago = human::ago(human::time(generation.time.as_ref()), human::now());
        let by = if generation.actor.is_empty() { String::new() } else { format!("by {} ", generation.actor) };
        let why = if generation.reason.is_empty() { String::new() } else { format!(": {}", generation.reason) };
        human::shorten(&format!("generation {}, {by}{ago} ago{why}", generation.generation), 200)
    }

    /// What it is now, and what it was made from.
    fn state(&self) -> Cell {
        let mut words = Vec::new();
        if self.0.current {
            words.push("current".to_owned());
        }
        if self.0.restored_from > 0 {
            words.push(format!("as {}", self.0.restored_from));
        }
        let tone = if self.0.current { Tone::Good } else { Tone::Plain };
        if words.is_empty() { Cell::optional(None) } else { Cell::new(tone, words.join(", ")) }
    }
}

impl Listed for GenerationRow {
    const COLUMNS: &'static [Column] = &[
        Column::number("GENERATION"),
        Column::text("TIME"),
        Column::text("ACTOR"),
        Column::text("STATE"),
        Column::text("REASON"),
        Column::text("SOURCE").wide(),
        Column::text("FROM").wide(),
        Column::number("REVISION").wide(),
    ];

    fn cells(&self, wide: bool) -> Vec<Cell> {
        let Self(generation) = self;
        let time = human::time(generation.time.as_ref()).map(|time| human::clock(time, human::now()));
        let actor = (!generation.actor.is_empty()).then(|| human::shorten(&generation.actor, 60));
        vec![
            Cell::plain(generation.generation.to_string()),
            Cell::optional(time),
            Cell::optional(actor),
            self.state(),
            Cell::plain(human::shorten(&generation.reason, if wide { 500 } else { 60 })),
            Cell::plain(human::shorten(&generation.source, 60)),
            Cell::plain(human::shorten(&generation.origin, 60)),
            Cell::plain(generation.revision.to_string()),
        ]
    }

    fn name(&self) -> String {
        format!("generation/{}/{}", self.0.process, self.0.generation)
    }

    fn value(&self) -> Result<serde_json::Value, JsonError> {
        pm_proto::json::to_value(&self.0)
    }
}
