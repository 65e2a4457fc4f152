//! An audit entry as a row, or as a document.

use crate::output::{Cell, Column, Listed, Tone, human};
use pm_proto::json::JsonError;
use pm_proto::v1::{AuditEntry, AuditOutcome};

pub(super) struct AuditRow(pub(super) AuditEntry);

impl AuditRow {
    /// `ok`, or why not and how often.
    fn outcome(&self) -> Cell {
        let entry = &self.0;
        match entry.outcome() {
            AuditOutcome::Accepted => Cell::new(Tone::Good, "ok"),
            AuditOutcome::Refused if entry.count > 1 => {
                Cell::new(Tone::Bad, format!("{} ×{}", human::shorten(&entry.refusal_reason, 40), entry.count))
            }
            AuditOutcome::Refused => Cell::new(Tone::Bad, human::shorten(&entry.refusal_reason, 40)),
            AuditOutcome::Unspecified => Cell::optional(None),
        }
    }

    /// `web 2→3: env.KEY, instances`.
    fn changes(&self) -> String {
        let mut texts = Vec::new();
        for step in &self.0.generations {
            let of = self.0.changes.iter().filter(|change| change.process == step.process);
            let fields: Vec<&str> = of.filter_map(|change| Some(change.field.as_ref()?.path.as_str())).collect();
            let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
            texts.push(match (step.from, step.to) {
                (0, to) => format!("{} new as {to}{fields}", step.process),
                (from, 0) => format!("{} {from} deleted", step.process),
                (from, to) => format!("{} {from}→{to}{fields}", step.process),
            });
        }
        if self.0.left_out > 0 {
            texts.push(format!("and {} more", self.0.left_out));
        }
        texts.join("; ")
    }
}

impl Listed for AuditRow {
    const COLUMNS: &'static [Column] = &[
        Column::text("TIME"),
        Column::text("ACTOR"),
        Column::text("COMMAND"),
        Column::text("TARGETS"),
        Column::text("OUTCOME"),
        Column::text("REASON"),
        Column::number("NUMBER").wide(),
        Column::text("CHANGES").wide(),
        Column::text("SOURCE").wide(),
        Column::number("REVISION").wide(),
        Column::text("REQUEST").wide(),
    ];

    fn cells(&self, wide: bool) -> Vec<Cell> {
        let entry = &self.0;
        let now = human::now();
        let time = human::time(entry.time.as_ref()).map(|time| human::clock(time, now));
        let limit = if wide { 500 } else { 60 };
        vec![
            Cell::optional(time),
            Cell::plain(human::shorten(&entry.actor, 60)),
            Cell::plain(human::shorten(&entry.command, 60)),
            Cell::plain(human::shorten(&entry.targets.join(" "), limit)),
            self.outcome(),
            Cell::plain(human::shorten(&entry.reason, limit)),
            Cell::plain(entry.number.to_string()),
            Cell::plain(human::shorten(&self.changes(), limit)),
            Cell::plain(human::shorten(&entry.source, 60)),
            Cell::plain(entry.revision.to_string()),
            Cell::plain(human::shorten(&entry.request_id, 40)),
        ]
    }

    fn name(&self) -> String {
        format!("audit/{}", self.0.number)
    }

    fn value(&self) -> Result<serde_json::Value, JsonError> {
        pm_proto::json::to_value(&self.0)
    }
}
