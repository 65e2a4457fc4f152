//! `pmctl wait`: until something is so, as scripts need it.

use crate::condition::{Condition, Goal, wait_for};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::wait::DEFAULT_WAIT;
use std::time::Duration;

/// Arguments of `wait`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl wait web --for=ready
  pmctl wait web db --for=rollout --timeout 5m
  pmctl stop web --no-wait && pmctl wait web --for=stopped
  pmctl delete web -y --no-wait && pmctl wait web --for=deleted")]
pub struct Args {
    /// Processes
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// What has to be so
    #[arg(long = "for", value_enum, default_value_t = For::Ready)]
    condition: For,
    /// Longest wait for each (exit code 6)
    #[arg(long, default_value = DEFAULT_WAIT, value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum For {
    /// Every instance that was asked for runs, and is ready
    Ready,
    /// Nothing of it runs
    Stopped,
    /// Its rollout is over, well; exit code 11 when it failed or was taken back
    Rollout,
    /// The process and its instances are no more
    Deleted,
}

/// Waits.
///
/// # Errors
/// It takes too long, it cannot come to be so, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let (condition, word) = match args.condition {
        For::Ready => (Condition::Ready, "ready"),
        For::Stopped => (Condition::Stopped, "stopped"),
        For::Rollout => (Condition::Rollout(Goal::Any), "rolled out"),
        For::Deleted => (Condition::Deleted, "deleted"),
    };
    context.block_on("wait", async {
        let connection = context.connect().await?;
        for name in &args.names {
            wait_for(&connection, name, condition, args.timeout, |_| Ok(())).await?;
            if !context.format.is_machine() {
                context.terminal.line(format_args!("process/{name} {word}"))?;
            }
        }
        Ok(Exit::Done)
    })
}
