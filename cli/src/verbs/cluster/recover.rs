//! `pmctl cluster recover`: offline, when a majority of the replicas is lost.

use crate::context::Context;
use crate::error::{Failure, chain};
use crate::exit::Exit;
use crate::output::confirm;
use registry_svc::recovery::{self, RecoveryError};
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// Arguments of `recover`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Stop every registry first. Of several directories take the one with the newest log: it is shown
before anything is changed. What was in the directory is kept beside, as before-epoch-N."
)]
pub(super) struct Args {
    /// Data directory of a replica that is left
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let failed = |error: RecoveryError| Failure::failed(format!("cannot recover: {}", chain(&error)));
    if !args.data_dir.is_dir() {
        return Err(Failure::usage(format!("{} is no directory", args.data_dir.display())));
    }
    let Some(prepared) = recovery::prepare(&args.data_dir).map_err(failed)? else {
        context.terminal.line("a recovery that was confirmed before has been finished")?;
        return Ok(Exit::Done);
    };
    context.terminal.note(prepared.recovery());
    let asked = std::io::stdin().is_terminal();
    let agreed = args.yes || asked && confirm("recover from this directory?")?;
    if !agreed {
        prepared.abandon().map_err(failed)?;
        let refusal = Failure::new(Exit::Failed, "nothing was changed");
        return Err(if asked { refusal } else { refusal.help("--yes answers yes beforehand") });
    }
    let done = prepared.carry_out().map_err(failed)?;
    context.terminal.line(format_args!(
        "recovered: replica {} is the only member of epoch {}; start it, then two fresh ones with --join",
        done.member, done.epoch
    ))?;
    Ok(Exit::Done)
}
