//! A rollout as a line or a document.

use crate::output::{Cell, Column, Listed, Tone, human};
use pm_proto::json::JsonError;
use pm_proto::v1::{Rollout, RolloutState};

/// A rollout.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RolloutRow(pub(super) Rollout);

impl RolloutRow {
    fn state(&self) -> (&'static str, Tone) {
        match self.0.state() {
            RolloutState::Progressing => ("progressing", Tone::Warn),
            RolloutState::AwaitingPromotion => ("awaiting promotion", Tone::Warn),
            RolloutState::Paused => ("paused", Tone::Warn),
            RolloutState::Succeeded => ("succeeded", Tone::Good),
            RolloutState::Failed => ("failed", Tone::Bad),
            RolloutState::Reverting => ("reverting", Tone::Bad),
            RolloutState::Reverted => ("reverted", Tone::Bad),
            RolloutState::Superseded => ("superseded", Tone::Dim),
            RolloutState::Unspecified => ("unknown", Tone::Plain),
        }
    }
}

impl Listed for RolloutRow {
    const COLUMNS: &'static [Column] = &[
        Column::text("PROCESS"),
        Column::text("STATE"),
        Column::text("FROM"),
        Column::text("TO"),
        Column::text("CHANGED"),
        Column::text("SERVE"),
        Column::text("AGE"),
        Column::text("ACTOR"),
        Column::text("WHY"),
        Column::text("REASON").wide(),
    ];

    fn cells(&self, wide: bool) -> Vec<Cell> {
        let rollout = &self.0;
        let (word, tone) = self.state();
        let why = if wide { rollout.why.clone() } else { human::shorten(&rollout.why, 60) };
        vec![
            Cell::plain(&rollout.process),
            Cell::new(tone, word),
            Cell::plain(rollout.from.to_string()),
            Cell::plain(rollout.to.to_string()),
            Cell::plain(format!("{}/{}", rollout.updated, rollout.instances)),
            Cell::plain(format!("{}/{}", rollout.available, rollout.instances)),
            Cell::plain(human::ago(human::time(rollout.begin_time.as_ref()), human::now())),
            Cell::plain(&rollout.actor),
            Cell::plain(why),
            Cell::plain(human::shorten(&rollout.reason, 200)),
        ]
    }

    fn name(&self) -> String {
        format!("rollout/{}", self.0.process)
    }

    fn value(&self) -> Result<serde_json::Value, JsonError> {
        pm_proto::json::to_value(&self.0)
    }
}
