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
#[command(
    group = clap::ArgGroup::new("who").required(true),
    after_help = "Examples:
  pmctl cluster remove 5
  pmctl cluster remove --ordinals-from 3    before a StatefulSet shrinks to 3: pods …-3, …-4 and on"
)]
pub(super) struct Remove {
    /// The number of the replica
    #[arg(group = "who", value_name = "ID", value_parser = value_parser!(u64).range(1..))]
    id: Option<u64>,
    /// All whose host's name ends in -N with this N or a higher one, as the pods of a StatefulSet; nobody is no fault
    #[arg(group = "who", long, value_name = "N")]
    ordinals_from: Option<u64>,
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
    if let Some(id) = args.id {
        return remove_one(context, connection, id, &args.reason).await;
    }
    let first = args.ordinals_from.unwrap_or(u64::MAX);
    let health = super::health(connection).await?;
    let ordinals = health.replicas.iter().filter_map(|one| Some((ordinal(&one.address)?, one.id)));
    let mut going: Vec<(u64, u64)> = ordinals.filter(|(ordinal, _)| *ordinal >= first).collect();
    // The last pod first, as the StatefulSet will do it.
    going.sort_unstable_by(|a, b| b.cmp(a));
    if going.is_empty() && !context.format.is_machine() {
        context.terminal.line(format_args!("no replica is on a host that ends in -{first} or higher"))?;
    }
    for (_, id) in going {
        remove_one(context, connection, id, &args.reason).await?;
    }
    Ok(Exit::Done)
}

/// N of `https://pm-registry-N.pm-registry.namespace.svc:7481`.
fn ordinal(address: &str) -> Option<u64> {
    let authority = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.split('.').next()?.rsplit_once('-')?.1.parse().ok()
}

async fn remove_one(context: &Context, connection: &Connection, id: u64, reason: &str) -> Result<Exit, Failure> {
    let what = format!("remove replica {id}");
    let request = RemoveMemberRequest { id, request_id: request_id(), reason: reason.to_owned() };
    let answer = connection.call(&what, connection.cluster().remove_member(request)).await?;
    if context.format.is_machine() {
        document(&context.terminal, context.format, &pm_proto::json::to_value(&answer)?)?;
        return Ok(Exit::Done);
    }
    context.terminal.line(format_args!("replica {id} is removed; voters: {}", ids(&answer.voter_ids)))?;
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

#[cfg(test)]
mod tests {
    use super::ordinal;

    #[test]
    fn the_number_of_a_pod_is_in_its_hosts_first_label_and_nowhere_else() {
        assert_eq!(ordinal("https://pm-registry-12.pm-registry.prod-7.svc:7481"), Some(12));
        assert_eq!(ordinal("http://registry-0:7481"), Some(0));
        for none in ["https://a.example-3.com:7481", "http://10.0.0.3:7481", "http://[::1]:7481", "https://db-x:1", ""]
        {
            assert_eq!(ordinal(none), None, "{none}");
        }
    }
}
