//! `pmctl actions`: what became of start, stop, restart and reload.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::list;
use crate::wait::ActionRow;
use pm_proto::v1::ListActionsRequest;

/// Arguments of `actions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pmctl actions web --tail 10")]
pub struct Args {
    /// Process names, instance ids or patterns; all when left out
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// The newest this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    tail: u32,
}

/// Lists actions, newest first.
///
/// # Errors
/// The server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("actions", async {
        let connection = context.connect().await?;
        let request = ListActionsRequest { page_size: args.tail, selectors: args.targets, stale: false };
        let mut actions = connection.actions();
        let answer = connection.call("list actions", actions.list_actions(request)).await?;
        let rows: Vec<_> = answer.actions.into_iter().map(|action| ActionRow { action, pid: None }).collect();
        list(&context.terminal, context.format, &rows, Some(answer.revision))?;
        Ok(Exit::Done)
    })
}
