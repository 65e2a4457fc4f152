//! `pmctl nodes`: the servers, and what they are used for.

mod change;
mod drain;
mod join_command;
mod list;
mod package;
mod release_brake;
mod status;
mod words;

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use clap::Subcommand;

/// Arguments of `nodes`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl nodes -o wide
  pmctl nodes status server-7
  pmctl nodes drain server-7 --deadline 10m --wait    empty it, to be taken away
  pmctl nodes uncordon server-7
  pmctl nodes label server-7 zone=eu-1 gpu-           set one, take one away
  pmctl nodes remove server-7
  pmctl nodes join-command --node db-1                a command that makes another server a node
  pmctl nodes release-brake --reason \"rack 7 is gone for good\"")]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the nodes
    List,
    /// All that is known of one: state, labels, what is on it
    Status(status::Args),
    /// It keeps what it has, and gets nothing new
    Cordon(change::Cordon),
    /// It takes new instances again; ends a drain
    Uncordon(change::Cordon),
    /// Move what it has to other nodes
    Drain(drain::Args),
    /// Set labels, for the placement of processes: NAME=VALUE, or NAME- for none
    Label(change::Label),
    /// Forget a node that will not come back
    Remove(change::Remove),
    /// Print the command that makes another server a node; it works once
    JoinCommand(join_command::Args),
    /// Place elsewhere what lost nodes have, though many were lost at once
    ReleaseBrake(release_brake::Args),
}

/// Carries it out.
///
/// # Errors
/// There is no such node, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("nodes", async {
        let connection = context.connect().await?;
        match args.verb.unwrap_or(Verb::List) {
            Verb::List => list::run(context, &connection).await,
            Verb::Status(args) => status::run(context, &connection, args).await,
            Verb::Cordon(args) => change::cordon(context, &connection, args, false).await,
            Verb::Uncordon(args) => change::cordon(context, &connection, args, true).await,
            Verb::Drain(args) => drain::run(context, &connection, args).await,
            Verb::Label(args) => change::label(context, &connection, args).await,
            Verb::Remove(args) => change::remove(context, &connection, args).await,
            Verb::JoinCommand(args) => join_command::run(context, &connection, &args).await,
            Verb::ReleaseBrake(args) => release_brake::run(context, &connection, args).await,
        }
    })
}
