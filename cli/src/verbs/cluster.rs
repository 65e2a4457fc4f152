//! `pmctl cluster`: the registry's replicas. How they fare, who takes part, who
//! leads.

mod certificates;
mod change;
mod check;
mod init;
mod issue;
mod member_row;
mod recover;
mod reset;
mod status;

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use clap::Subcommand;
use pm_proto::v1::{GetClusterHealthRequest, GetClusterHealthResponse};

/// Arguments of `cluster`.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  pmctl cluster status
  pmctl cluster check                  exit code 1 when something is wrong
  pmctl cluster join 4                 replica 4, started with --join, gets its vote
  pmctl cluster join 4 --replaces 2    in the place of replica 2, which is gone for good
  pmctl cluster remove 5
  pmctl cluster transfer-leader 3
  pmctl cluster init --dir pki --name prod --replicas 3    a CA, and certificates for every service
  pmctl cluster issue --dir pki gateway/gateway            a new certificate, in the place of the old one
  pmctl cluster recover --data-dir /var/lib/pm/registry    a majority is lost for good"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(flatten)]
    Online(Online),
    /// Offline, a majority is lost: make one directory a new cluster of one
    Recover(recover::Args),
    /// Offline: let a new replica begin in a directory that its cluster has turned away
    Reset(reset::Args),
    /// Offline: make a CA, and certificates for every service and an operator
    Init(init::Args),
    /// Offline: make one more certificate, or the next one of a service
    Issue(issue::Args),
}

#[derive(Debug, Subcommand)]
enum Online {
    /// How every replica fares: role, what it lacks, disk; and what is wrong
    Status,
    /// List the replicas
    Members,
    /// Give a replica that was started with --join its vote
    Join(change::Join),
    /// Remove a replica for good; a leader hands over first
    Remove(change::Remove),
    /// Let another replica lead
    TransferLeader(change::Transfer),
    /// Ask every replica; exit code 1 when something is wrong
    Check,
}

/// Carries it out.
///
/// # Errors
/// The server refuses; the directory cannot be recovered from.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let verb = match args.verb {
        Verb::Recover(args) => return recover::run(context, &args),
        Verb::Reset(args) => return reset::run(context, &args),
        Verb::Init(args) => return init::run(context, &args),
        Verb::Issue(args) => return issue::run(context, &args),
        Verb::Online(verb) => verb,
    };
    context.block_on("cluster", async {
        let connection = context.connect().await?;
        match verb {
            Online::Status => status::run(context, &connection).await,
            Online::Members => status::members(context, &connection).await,
            Online::Join(args) => change::join(context, &connection, args).await,
            Online::Remove(args) => change::remove(context, &connection, args).await,
            Online::TransferLeader(args) => change::transfer(context, &connection, args).await,
            Online::Check => check::run(context, &connection).await,
        }
    })
}

async fn health(connection: &Connection) -> Result<GetClusterHealthResponse, Failure> {
    let mut cluster = connection.cluster();
    connection.call("ask how the cluster fares", cluster.get_cluster_health(GetClusterHealthRequest {})).await
}
