//! `pmctl rollback`: an earlier definition again, as a new generation.

use super::apply_row::ApplyRow;
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::list;
use pm_proto::v1::{ApplyOutcome, ApplyResult, RollbackProcessRequest};

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl rollback web --reason \"errors since 3\"
  pmctl rollback web --to 2 --if-version 5

A deleted process comes back with the definition that it had last.")]
pub struct Args {
    /// The process
    #[arg(value_name = "NAME")]
    name: String,
    /// The generation to bring back [default: the one before the current one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    to: Option<u64>,
    /// Only if it has this generation now (0: does not exist)
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

/// Brings a definition back.
///
/// # Errors
/// It is not kept, somebody else was first, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("rollback", async {
        let connection = context.connect().await?;
        bring_back(context, &connection, &args.name, args.to, args.if_version, args.reason).await?;
        Ok(Exit::Done)
    })
}

/// Brings a definition back and says so; returns the generation that it is now.
///
/// # Errors
/// It is not kept, somebody else was first, or the server refuses.
pub async fn bring_back(
    context: &Context,
    connection: &Connection,
    name: &str,
    to: Option<u64>,
    expected_generation: Option<u64>,
    reason: String,
) -> Result<u64, Failure> {
    let request = RollbackProcessRequest {
        name: name.to_owned(),
        to: to.unwrap_or(0),
        expected_generation,
        request_id: uuid::Uuid::new_v4().to_string(),
        reason,
    };
    let mut client = connection.processes();
    let answer = connection.call(&format!("roll {name} back"), client.rollback_process(request)).await?;
    let row = ApplyRow { result: answer.result.unwrap_or_default(), dry_run: false };
    let generation = row.result.process.as_ref().map_or(0, |process| process.generation);
    if context.format.is_machine() {
        list(&context.terminal, context.format, &[row], Some(answer.revision))?;
    } else {
        let text = sentence(&row.result);
        context.terminal.line(context.terminal.out.paint(row.tone(), text))?;
    }
    Ok(generation)
}

fn sentence(result: &ApplyResult) -> String {
    let now = result.process.as_ref().map_or(0, |process| process.generation);
    let name = &result.name;
    match result.outcome() {
        ApplyOutcome::Created => format!("process/{name} is back, as generation {now}"),
        ApplyOutcome::Unchanged => format!("process/{name} has that definition already, as generation {now}"),
        ApplyOutcome::Updated | ApplyOutcome::Pruned | ApplyOutcome::Unspecified => {
            format!("process/{name} rolled back, as generation {now}")
        }
    }
}
