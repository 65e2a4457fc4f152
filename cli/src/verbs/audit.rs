//! `pmctl audit`: who asked for which change, and why; whether the log is what
//! was written; the whole log as a file.

mod checker;
mod export;
mod file;
mod row;
mod stream;
mod verify;

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::moment::moment;
use crate::output::list;
use pm_proto::convert::timestamp_to_wire;
use pm_proto::v1::{AuditEntry, ListAuditEntriesRequest};
use process_model::Timestamp;
use process_model::audit::Anchor;
use row::AuditRow;
use std::path::PathBuf;

/// Entries in one answer.
const PAGE: u32 = 1_000;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl audit --limit 20
  pmctl audit --process web --actor admin --since 24h -o jsonl
  pmctl audit --verify
  pmctl audit --export audit.ndjson
  pmctl audit --verify --file audit.ndjson")]
pub struct Args {
    /// Only what this one did
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
    /// Only what was about this process, instance, node or pattern
    #[arg(long, value_name = "NAME")]
    process: Option<String>,
    /// Only since then: `10m` ago, or an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only before then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    /// The newest this many
    #[arg(long, visible_alias = "tail", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    limit: u32,
    /// Check that no entry was changed, removed, put in or moved (exit code 10)
    #[arg(long, conflicts_with_all = ["actor", "process", "since", "until"])]
    verify: bool,
    /// Verify this export instead of the registry's log
    #[arg(long, value_name = "FILE", requires = "verify")]
    file: Option<PathBuf>,
    /// An entry that an earlier --verify named has to be in the log as it was
    #[arg(long, value_name = "NUMBER:HASH", requires = "verify", value_parser = known)]
    known: Option<Anchor>,
    /// Write the whole log, one JSON object a line, oldest first; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["verify", "actor", "process", "since", "until"])]
    export: Option<PathBuf>,
}

/// `7:af01…`, as `--verify` prints it.
fn known(text: &str) -> Result<Anchor, String> {
    let fault = || "write it as `pmctl audit --verify` prints it: NUMBER:HASH".to_owned();
    let (number, hash) = text.split_once(':').ok_or_else(fault)?;
    let (Ok(number), Ok(hash)) = (number.parse(), hash.parse()) else { return Err(fault()) };
    Ok(Anchor { number, hash })
}

/// Lists, verifies or exports.
///
/// # Errors
/// The server refuses, a file cannot be read or written, or the log is not
/// what was written.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    match (&args.file, &args.export) {
        (Some(path), _) => verify::file(context, path, args.known),
        (None, Some(path)) => export::run(context, path),
        (None, None) if args.verify => verify::registry(context, args.known),
        (None, None) => context.block_on("audit", async {
            let connection = context.connect().await?;
            let entries = entries(&connection, args).await?;
            let rows: Vec<_> = entries.into_iter().map(AuditRow).collect();
            list(&context.terminal, context.format, &rows, None)?;
            Ok(Exit::Done)
        }),
    }
}

async fn entries(connection: &Connection, args: Args) -> Result<Vec<AuditEntry>, Failure> {
    let mut request = ListAuditEntriesRequest {
        actor: args.actor.unwrap_or_default(),
        target: args.process.unwrap_or_default(),
        since: args.since.map(timestamp_to_wire),
        until: args.until.map(timestamp_to_wire),
        ..ListAuditEntriesRequest::default()
    };
    let mut left = args.limit;
    let mut entries = Vec::new();
    loop {
        request.page_size = left.min(PAGE);
        let mut client = connection.events();
        let page = connection.call("read the audit log", client.list_audit_entries(request.clone())).await?;
        left = left.saturating_sub(u32::try_from(page.entries.len()).unwrap_or(u32::MAX));
        entries.extend(page.entries);
        if left == 0 || page.next_page_token.is_empty() {
            return Ok(entries);
        }
        request.page_token = page.next_page_token;
    }
}

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn a_known_entry_is_a_number_and_a_hash() {
        let hash = "0a".repeat(32);
        let anchor = known(&format!("7:{hash}")).unwrap();
        assert_eq!((anchor.number, anchor.hash.to_string()), (7, hash));
        for bad in ["", "7", "7:", "x:00", "7:00"] {
            assert!(known(bad).is_err(), "{bad}");
        }
    }
}
