//! `pmctl audit`: who asked for which change, and why.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Cell, Column, Listed, human, list};
use pm_proto::json::JsonError;
use pm_proto::v1::{AuditEntry, ListAuditEntriesRequest};

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pmctl audit --tail 20 -o jsonl")]
pub struct Args {
    /// The newest this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    tail: u32,
}

/// Lists audit entries, newest first.
///
/// # Errors
/// The server refuses.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    context.block_on("audit", async {
        let connection = context.connect().await?;
        let mut events = connection.events();
        let request = ListAuditEntriesRequest { page_size: args.tail };
        let answer = connection.call("read the audit log", events.list_audit_entries(request)).await?;
        let rows: Vec<_> = answer.entries.into_iter().map(AuditRow).collect();
        list(&context.terminal, context.format, &rows, None)?;
        Ok(Exit::Done)
    })
}

struct AuditRow(AuditEntry);

impl Listed for AuditRow {
    const COLUMNS: &'static [Column] = &[
        Column::text("TIME"),
        Column::text("ACTOR"),
        Column::text("COMMAND"),
        Column::text("TARGETS"),
        Column::text("REASON"),
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
            Cell::plain(human::shorten(&entry.command, 40)),
            Cell::plain(human::shorten(&entry.targets.join(" "), limit)),
            Cell::plain(human::shorten(&entry.reason, limit)),
            Cell::plain(entry.revision.to_string()),
            Cell::plain(human::shorten(&entry.request_id, 40)),
        ]
    }

    fn name(&self) -> String {
        format!("audit/{}", self.0.revision)
    }

    fn value(&self) -> Result<serde_json::Value, JsonError> {
        pm_proto::json::to_value(&self.0)
    }
}
