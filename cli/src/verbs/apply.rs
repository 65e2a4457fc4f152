//! `pmctl apply`: makes the stored processes those of the files. Repeating it
//! changes nothing.

use super::apply_row::ApplyRow;
use super::rollout;
use crate::applying::{Manner, apply};
use crate::condition::{Condition, Goal, wait_for};
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::files;
use crate::output::{Tone, list};
use crate::wait::DEFAULT_WAIT;
use pm_proto::v1::{ApplyOutcome, ApplyProcessesResponse, ApplyResult};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl apply -f processes.yaml
  pmctl apply -f processes.yaml --dry-run
  pmctl apply -f processes.yaml --wait --timeout 5m
  pmctl apply -f processes.yaml --if-version web=7
  generate | pmctl apply -f -")]
pub struct Args {
    /// Process file (YAML or JSON); - is standard input
    #[arg(short, long = "file", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Let the server check and say what would change; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait until all instances have come to it and serve (exit code 11 when it fails or is taken back)
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Longest wait for each process; it goes on after that (exit code 6)
    #[arg(long, default_value = DEFAULT_WAIT, value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
    /// Only if NAME has this generation now (0: does not exist); may be repeated
    #[arg(long, value_name = "NAME=N", value_parser = expectation)]
    if_version: Vec<(String, u64)>,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

/// `web=7`.
fn expectation(text: &str) -> Result<(String, u64), String> {
    let fault = || "write it as NAME=N, with the generation that `pmctl history NAME` shows".to_owned();
    let (name, generation) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(fault)?;
    Ok((name.to_owned(), generation.parse().map_err(|_| fault())?))
}

/// Applies the files.
///
/// # Errors
/// They are not valid, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let read = files::read(&args.files)?;
    for warning in &read.warnings {
        context.terminal.note(format_args!("{} {warning}", context.terminal.err.paint(Tone::Warn, "warning:")));
    }
    let generations = args.if_version.into_iter().collect();
    let manner = Manner { source: "apply", prune: false, dry_run: args.dry_run, reason: args.reason, generations };
    context.block_on("apply", async {
        let connection = context.connect().await?;
        let answer = apply(&connection, "apply the processes", &read.processes, &manner).await?;
        let results = answer.results.clone();
        print(context, answer, args.dry_run)?;
        if args.wait {
            for result in &results {
                to_its_end(context, &connection, result, args.timeout).await?;
            }
        }
        Ok(Exit::Done)
    })
}

/// Follows what applying began.
async fn to_its_end(
    context: &Context,
    connection: &Connection,
    result: &ApplyResult,
    timeout: Duration,
) -> Result<(), Failure> {
    let name = &result.name;
    match result.outcome() {
        ApplyOutcome::Pruned => wait_for(connection, name, Condition::Deleted, timeout, |_| Ok(())).await,
        ApplyOutcome::Created | ApplyOutcome::Unspecified => {
            wait_for(connection, name, Condition::Ready, timeout, |_| Ok(())).await
        }
        // An unchanged one may be on its way yet. What instances do not notice begins no rollout.
        ApplyOutcome::Updated | ApplyOutcome::Unchanged => {
            let generation = result.process.as_ref().map_or(0, |process| process.generation);
            rollout::follow(context, connection, name, Goal::Generation(generation), timeout).await?;
            wait_for(connection, name, Condition::Ready, timeout, |_| Ok(())).await
        }
    }
}

/// Prints what applying did.
///
/// # Errors
/// It cannot be written.
pub fn print(context: &Context, answer: ApplyProcessesResponse, dry_run: bool) -> Result<(), Failure> {
    let rows: Vec<_> = answer.results.into_iter().map(|result| ApplyRow { result, dry_run }).collect();
    let terminal = &context.terminal;
    if context.format.is_machine() {
        return list(terminal, context.format, &rows, Some(answer.revision));
    }
    rows.iter().try_for_each(|row| {
        terminal.line(terminal.out.paint(row.tone(), row.sentence()))?;
        row.plan().iter().try_for_each(|line| terminal.line(line))
    })
}

#[cfg(test)]
mod tests {
    use super::expectation;

    #[test]
    fn an_expectation_is_a_name_and_a_number() {
        assert_eq!(expectation("web=7"), Ok(("web".to_owned(), 7)));
        for bad in ["web", "=7", "web=", "web=x", "web=-1"] {
            assert!(expectation(bad).is_err(), "{bad}");
        }
    }
}
