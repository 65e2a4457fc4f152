//! `pmctl cluster join`, `remove`, `transfer-leader`: who takes part, who leads.

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::document;
use clap::value_parser;
use pm_proto::v1::{JoinMemberRequest, RemoveMemberRequest, TransferLeadershipRequest};

/// Arguments of `join`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Start the new replica first, with --join and the --peers of the others; it prints its number.")]
pub(super) struct Join {
    /// The number of the new replica
    #[arg(value_name = "ID", value_parser = value_parser!(u64).range(1..))]
    id: u64,
    /// The replica whose place it takes, and which is removed for good
    #[arg(long, value_name = "OLD", value_parser = value_parser!(u64).range(1..))]
    replaces: Option<u64>,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

/// Arguments of `remove`.
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    /// The number of the replica
    #[arg(value_name = "ID", value_parser = value_parser!(u64).range(1..))]
    id: u64,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

/// Arguments of `transfer-leader`.
#[derive(Debug, clap::Args)]
pub(super) struct Transfer {
    /// Who is to lead [default: the one that has most of the log]
    #[arg(value_name = "ID", value_parser = value_parser!(u64).range(1..))]
    id: Option<u64>,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

pub(super) async fn join(context: &Context, connection: &Connection, args: Join) -> Result<Exit, Failure> {
    let what = format!("give replica {} its vote", args.id);
    let replaces_id = args.replaces.unwrap_or(0);
    let request = JoinMemberRequest { id: args.id, replaces_id, request_id: request_id(), reason: args.reason };
    let answer = connection.call(&what, connection.cluster().join_member(request)).await?;
    if context.format.is_machine() {
        document(&context.terminal, context.format, &pm_proto::json::to_value(&answer)?)?;
        return Ok(Exit::Done);
    }
    let place = args.replaces.map_or_else(String::new, |old| format!(" in the place of replica {old}"));
    context.terminal.line(format_args!("replica {} votes{place}; voters: {}", args.id, ids(&answer.voter_ids)))?;
    advise(context, &answer.advice)
}

pub(super) async fn remove(context: &Context, connection: &Connection, args: Remove) -> Result<Exit, Failure> {
    let what = format!("remove replica {}", args.id);
    let request = RemoveMemberRequest { id: args.id, request_id: request_id(), reason: args.reason };
    let answer = connection.call(&what, connection.cluster().remove_member(request)).await?;
    if context.format.is_machine() {
        document(&context.terminal, context.format, &pm_proto::json::to_value(&answer)?)?;
        return Ok(Exit::Done);
    }
    context.terminal.line(format_args!("replica {} is removed; voters: {}", args.id, ids(&answer.voter_ids)))?;
    advise(context, &answer.advice)
}

pub(super) async fn transfer(context: &Context, connection: &Connection, args: Transfer) -> Result<Exit, Failure> {
    let request = TransferLeadershipRequest { id: args.id.unwrap_or(0), request_id: request_id(), reason: args.reason };
    let what = "transfer leadership";
    let answer = connection.call(what, connection.cluster().transfer_leadership(request)).await?;
    if context.format.is_machine() {
        document(&context.terminal, context.format, &pm_proto::json::to_value(&answer)?)?;
    } else {
        context.terminal.line(format_args!("replica {} leads", answer.leader_id))?;
    }
    Ok(Exit::Done)
}

fn ids(ids: &[u64]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn advise(context: &Context, advice: &str) -> Result<Exit, Failure> {
    if !advice.is_empty() {
        context.terminal.note(format_args!("advice: {advice}"));
    }
    Ok(Exit::Done)
}
