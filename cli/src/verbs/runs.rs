//! `pmctl runs`: the runs of what runs to an end.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::live::exit_text;
use crate::output::{Cell, Column, Listed, Tone, human, list};
use pm_proto::json::JsonError;
use pm_proto::v1::{ListRunsRequest, Run, RunOutcome, exit_status};
use process_model::{RunTrigger as Trigger, Timestamp};

/// Arguments of `runs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl runs backup
  pmctl runs backup-2 --limit 5 -o wide

The newest 20 of each instance are kept, over all nodes that it was on. What runs all the time has none:
see `pmctl events`.")]
pub struct Args {
    /// A process with a schedule or that runs once, or one of its instances
    #[arg(value_name = "NAME")]
    name: String,
    /// The newest this many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000), value_name = "N")]
    limit: u32,
}

/// Lists runs, newest first.
///
/// # Errors
/// There is nothing of that name, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("runs", async {
        let connection = context.connect().await?;
        let what = format!("list the runs of {}", args.name);
        let request = ListRunsRequest { name: args.name, limit: args.limit, stale: false };
        let answer = connection.call(&what, connection.processes().list_runs(request)).await?;
        let rows: Vec<RunRow> = answer.runs.into_iter().map(RunRow).collect();
        list(&context.terminal, context.format, &rows, Some(answer.revision))?;
        Ok(Exit::Done)
    })
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
struct RunRow(Run);

impl RunRow {
    fn trigger(&self) -> &'static str {
        Trigger::try_from(self.0.trigger()).map_or("?", Trigger::as_str)
    }

    fn outcome(&self, wide: bool) -> Cell {
        let Self(run) = self;
        let told = |word: &str| match run.message.as_str() {
            "" => word.to_owned(),
            why => format!("{word}: {}", human::shorten(why, if wide { 500 } else { 60 })),
        };
        match run.outcome() {
            RunOutcome::Running => Cell::new(Tone::Good, "running"),
            RunOutcome::Ended => {
                let well = run.exit.as_ref().is_some_and(|exit| exit.status == Some(exit_status::Status::Code(0)));
                let text = run.exit.as_ref().map_or_else(|| "an unknown ending".to_owned(), exit_text);
                Cell::new(if well { Tone::Good } else { Tone::Bad }, text)
            }
            RunOutcome::NotStarted => Cell::new(Tone::Bad, told("not started")),
            RunOutcome::Skipped => Cell::new(Tone::Warn, told("skipped")),
            RunOutcome::Missed => Cell::new(Tone::Warn, "missed"),
            RunOutcome::Lost => Cell::new(Tone::Bad, "lost with its node"),
            // A newer server's word.
            RunOutcome::Unspecified => Cell::new(Tone::Dim, "?"),
        }
    }

    /// How long it ran, or has run so far.
    fn lasted(&self, now: Timestamp) -> Option<String> {
        let began = human::time(self.0.start_time.as_ref())?;
        let ended = human::time(self.0.end_time.as_ref());
        let until = ended.or_else(|| (self.0.outcome() == RunOutcome::Running).then_some(now))?;
        Some(human::duration(human::between(began, until)))
    }
}

impl Listed for RunRow {
    const COLUMNS: &'static [Column] = &[
        Column::text("INSTANCE"),
        Column::number("RUN"),
        Column::text("DUE"),
        Column::text("TRIGGER"),
        Column::text("STARTED"),
        Column::text("LASTED"),
        Column::text("OUTCOME"),
        Column::text("NODE"),
        Column::text("ENDED").wide(),
    ];

    fn cells(&self, wide: bool) -> Vec<Cell> {
        let Self(run) = self;
        let now = human::now();
        let clock = |time: Option<&prost_types::Timestamp>| human::time(time).map(|time| human::clock(time, now));
        vec![
            Cell::plain(&run.instance_id),
            Cell::plain(run.number.to_string()),
            Cell::optional(clock(run.due_time.as_ref())),
            Cell::plain(self.trigger()),
            Cell::optional(clock(run.start_time.as_ref())),
            Cell::optional(self.lasted(now)),
            self.outcome(wide),
            Cell::plain(&run.node),
            Cell::optional(clock(run.end_time.as_ref())),
        ]
    }

    fn name(&self) -> String {
        format!("run/{}/{}", self.0.instance_id, self.0.number)
    }

    fn value(&self) -> Result<serde_json::Value, JsonError> {
        pm_proto::json::to_value(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::v1::{ExitStatus, RunTrigger};

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    fn run(outcome: RunOutcome) -> Run {
        Run {
            instance_id: "backup-1".into(),
            number: 7,
            trigger: RunTrigger::CatchUp.into(),
            outcome: outcome.into(),
            ..Run::default()
        }
    }

    #[test]
    fn a_run_says_how_it_ended_and_how_long_it_took() {
        let code = |code| Some(ExitStatus { status: Some(exit_status::Status::Code(code)) });
        let ended = RunRow(Run { start_time: at(100), end_time: at(165), exit: code(0), ..run(RunOutcome::Ended) });
        assert_eq!(ended.outcome(false), Cell::new(Tone::Good, "exit code 0"));
        assert_eq!(
            (ended.lasted(Timestamp::from_parts(900, 0)).as_deref(), ended.trigger()),
            (Some("1m5s"), "catch-up")
        );
        let failed = RunRow(Run { exit: code(3), ..run(RunOutcome::Ended) });
        assert_eq!(failed.outcome(false), Cell::new(Tone::Bad, "exit code 3"));
        let going = RunRow(Run { start_time: at(100), ..run(RunOutcome::Running) });
        assert_eq!(going.lasted(Timestamp::from_parts(103, 0)).as_deref(), Some("3s"));
        let lost = RunRow(Run { start_time: at(100), ..run(RunOutcome::Lost) });
        assert_eq!(lost.lasted(Timestamp::from_parts(103, 0)), None, "nobody knows");
        let skipped = RunRow(Run { message: "the run before goes on".into(), ..run(RunOutcome::Skipped) });
        assert_eq!(skipped.outcome(false), Cell::new(Tone::Warn, "skipped: the run before goes on"));
    }
}
