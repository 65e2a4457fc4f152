//! `pmctl backup`: everything that the registry knows as a file, and back.

mod confirm;
mod inspect;
mod out;
mod restore;
mod row;
mod save;
mod status;

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl backup save                                into a file named for the cluster and the time
  pmctl backup save - | gzip > registry.backup.gz
  pmctl backup inspect registry.backup
  pmctl backup restore registry.backup             into an empty cluster
  pmctl backup status                              what runs beside what was restored
  pmctl backup confirm --keep-unknown

The file holds the environment of every process: keep it as you keep those secrets.")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Save everything that the registry knows, while it goes on
    Save(save::Args),
    /// Show what a backup is of, and whether it is sound (exit code 10); needs no server
    Inspect(inspect::Args),
    /// Put a backup in the place of what the registry knows; it looks on then
    Restore(restore::Args),
    /// Compare what runs with what was restored
    Status(status::Args),
    /// End looking on: from now on the nodes run what was restored
    Confirm(confirm::Args),
}

/// Saves, inspects, restores, compares or confirms.
///
/// # Errors
/// The server refuses, or a file cannot be read or written.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Save(args) => save::run(context, args),
        Verb::Inspect(args) => inspect::run(context, &args),
        Verb::Restore(args) => restore::run(context, args),
        Verb::Status(args) => status::run(context, &args),
        Verb::Confirm(args) => confirm::run(context, args),
    }
}
