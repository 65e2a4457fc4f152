//! What applying did, as a line or a document. Shared by `apply`, `register`
//! and `up`.

use crate::output::{Cell, Column, Listed, Tone};
use pm_proto::json::JsonError;
use pm_proto::v1::{ApplyOutcome, ApplyResult, InstancePlan, InstanceStep};

/// What applying did to one process.
#[derive(Debug, Clone, PartialEq)]
pub struct ApplyRow {
    /// The result.
    pub result: ApplyResult,
    /// Whether it was only asked what would happen.
    pub dry_run: bool,
}

impl ApplyRow {
    /// `process/web created`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let what = outcome_word(self.result.outcome());
        let dry = if self.dry_run { " (dry run)" } else { "" };
        format!("process/{} {what}{dry}", self.result.name)
    }

    /// What becomes of each instance, as one line each; only of a dry run.
    #[must_use]
    pub fn plan(&self) -> Vec<String> {
        plan_lines(&self.result.plan)
    }

    /// The tone of its line.
    #[must_use]
    pub fn tone(&self) -> Tone {
        match self.result.outcome() {
            ApplyOutcome::Created => Tone::Good,
            ApplyOutcome::Updated | ApplyOutcome::Pruned => Tone::Warn,
            ApplyOutcome::Unchanged => Tone::Dim,
            ApplyOutcome::Unspecified => Tone::Plain,
        }
    }
}

/// A line for each instance that something becomes of.
#[must_use]
pub fn plan_lines(plan: &[InstancePlan]) -> Vec<String> {
    let told = plan.iter().filter_map(|one| {
        let what = match one.step() {
            InstanceStep::Create => "is created",
            InstanceStep::Restart => "is restarted",
            InstanceStep::InPlace => "takes it in while it runs",
            InstanceStep::Remove => "ends and goes",
            InstanceStep::Surge => "comes for the time of the rollout",
            InstanceStep::None | InstanceStep::Unspecified => return None,
        };
        Some(format!("  {} {what}", one.instance_id))
    });
    told.collect()
}

/// The word for an outcome.
#[must_use]
pub fn outcome_word(outcome: ApplyOutcome) -> &'static str {
    match outcome {
        ApplyOutcome::Created => "created",
        ApplyOutcome::Updated => "updated",
        ApplyOutcome::Unchanged => "unchanged",
        ApplyOutcome::Pruned => "deleted",
        ApplyOutcome::Unspecified => "unknown",
    }
}

impl Listed for ApplyRow {
    const COLUMNS: &'static [Column] = &[Column::text("PROCESS"), Column::text("OUTCOME")];

    fn cells(&self, _: bool) -> Vec<Cell> {
        vec![Cell::plain(&self.result.name), Cell::new(self.tone(), outcome_word(self.result.outcome()))]
    }

    fn name(&self) -> String {
        format!("process/{}", self.result.name)
    }

    fn value(&self) -> Result<serde_json::Value, JsonError> {
        pm_proto::json::to_value(&self.result)
    }
}
