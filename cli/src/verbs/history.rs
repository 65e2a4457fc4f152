//! `pmctl history`: the definitions that a process has had.

use super::generation_row::GenerationRow;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::list;
use pm_proto::v1::ListGenerationsRequest;

/// Definitions in one answer.
const PAGE: u32 = 1_000;

/// Arguments of `history`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl history web
  pmctl history web --limit 5 -o wide

`pmctl diff web 3 4` shows what changed, `pmctl rollback web --to 3` goes back.")]
pub struct Args {
    /// A process; also a deleted one, while its deletion is in the audit log
    #[arg(value_name = "NAME")]
    name: String,
    /// The newest this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    limit: u32,
}

/// Lists definitions, newest first.
///
/// # Errors
/// Nothing is kept of that name, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("history", async {
        let connection = context.connect().await?;
        let what = format!("read the history of {}", args.name);
        let mut request = ListGenerationsRequest { name: args.name, ..ListGenerationsRequest::default() };
        let mut left = args.limit;
        let mut rows = Vec::new();
        let revision = loop {
            request.page_size = left.min(PAGE);
            let mut client = connection.processes();
            let page = connection.call(&what, client.list_generations(request.clone())).await?;
            left = left.saturating_sub(u32::try_from(page.generations.len()).unwrap_or(u32::MAX));
            rows.extend(page.generations.into_iter().map(GenerationRow));
            if left == 0 || page.next_page_token.is_empty() {
                break page.revision;
            }
            request.page_token = page.next_page_token;
        };
        list(&context.terminal, context.format, &rows, Some(revision))?;
        Ok(Exit::Done)
    })
}
