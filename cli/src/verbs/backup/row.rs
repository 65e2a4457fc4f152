//! An instance as it was restored and as it runs, as a row.

use crate::output::{Cell, Column, Listed, Tone};
use pm_proto::json::JsonError;
use pm_proto::v1::{RestoreFinding, RestoredInstance};

pub(super) struct RestoredRow(pub(super) RestoredInstance);

impl RestoredRow {
    fn finding(&self) -> (Tone, &'static str, &'static str) {
        match self.0.finding() {
            RestoreFinding::Adopted => (Tone::Good, "adopted", "nothing"),
            RestoreFinding::Differs => (Tone::Warn, "differs", "gets the restored definition"),
            RestoreFinding::Runs => (Tone::Warn, "runs", "is stopped"),
            RestoreFinding::Missing => (Tone::Warn, "missing", "is started"),
            RestoreFinding::Unknown => (Tone::Bad, "unknown", "as you say"),
            RestoreFinding::Silent => (Tone::Dim, "silent", "its node will say"),
            RestoreFinding::Unspecified => (Tone::Dim, "?", ""),
        }
    }
}

impl Listed for RestoredRow {
    const COLUMNS: &'static [Column] = &[
        Column::text("INSTANCE"),
        Column::text("NODE"),
        Column::text("FINDING"),
        Column::number("PID"),
        Column::number("RUNS"),
        Column::number("RESTORED"),
        Column::text("ON CONFIRM"),
    ];

    fn cells(&self, _: bool) -> Vec<Cell> {
        let one = &self.0;
        let (tone, finding, then) = self.finding();
        let number = |n: u64| Cell::optional((n > 0).then(|| n.to_string()));
        vec![
            Cell::plain(&one.instance_id),
            Cell::optional((!one.node.is_empty()).then(|| one.node.clone())),
            Cell::new(tone, finding),
            number(u64::from(one.pid)),
            number(one.running_generation),
            number(one.restored_generation),
            Cell::plain(then),
        ]
    }

    fn name(&self) -> String {
        format!("instance/{}", self.0.instance_id)
    }

    fn value(&self) -> Result<serde_json::Value, JsonError> {
        pm_proto::json::to_value(&self.0)
    }
}
