//! `pmctl cluster reset`: offline, a directory that its cluster has turned away becomes an empty one.

use crate::context::Context;
use crate::error::{Failure, chain};
use crate::exit::Exit;
use registry_svc::home::{Home, HomeError};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `reset`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Only what the cluster has turned away for good is put aside: the directory of a replica that was
removed, or whose majority was recovered without it. Any other directory is left as it is, with exit code 0. The old
content is in set-aside/ within the directory, a certificate that was beside it too: the new replica needs a new one."
)]
pub(super) struct Args {
    /// Data directory of a registry that does not run
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Only if that was so long ago: one that was just removed is not to come back by itself
    #[arg(long, default_value = "0s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    after: Duration,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let dir = args.data_dir.display();
    let failed = |error: HomeError| Failure::failed(format!("cannot reset {dir}: {}", chain(&error)));
    if !args.data_dir.is_dir() {
        context.terminal.line(format_args!("{dir} is not there: nothing to reset"))?;
        return Ok(Exit::Done);
    }
    let home = Home::lock(&args.data_dir).map_err(failed)?;
    let Some((when, why)) = home.was_turned_away().map_err(failed)? else {
        context.terminal.line(format_args!("{dir} was not turned away: nothing to reset"))?;
        return Ok(Exit::Done);
    };
    // A clock that was set back counts as no time at all.
    let ago = when.elapsed().unwrap_or_default();
    if ago < args.after {
        let (ago, after) = (Duration::from_secs(ago.as_secs()), args.after);
        context.terminal.line(format_args!(
            "{dir} was turned away {} ago ({why}): left as it is until {} are over",
            humantime::format_duration(ago),
            humantime::format_duration(after)
        ))?;
        return Ok(Exit::Done);
    }
    let aside = home.set_aside().map_err(failed)?;
    context.terminal.line(format_args!("{dir} is empty now ({why}); what it held is in {}", aside.display()))?;
    Ok(Exit::Done)
}
