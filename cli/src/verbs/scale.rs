//! `pmctl scale`: more or fewer instances of a process.

use super::apply_row::ApplyRow;
use crate::condition::{Condition, wait_for};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::list;
use crate::wait::DEFAULT_WAIT;
use pm_proto::v1::ScaleProcessRequest;
use std::time::Duration;

/// Arguments of `scale`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl scale web=5
  pmctl scale web=5 db=2 --wait
  pmctl scale web=0 --if-version 7

Each process is scaled by itself, in this order. A later `apply` of a file with another number changes it back.")]
pub struct Args {
    /// A process and how many instances it has from now on
    #[arg(required = true, value_name = "NAME=N", value_parser = number)]
    numbers: Vec<(String, u32)>,
    /// Only if it has this generation now; with one process
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Wait until all instances are ready (exit code 11 when one is given up)
    #[arg(long)]
    wait: bool,
    /// Longest wait; it goes on after that (exit code 6)
    #[arg(long, default_value = DEFAULT_WAIT, value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

/// `web=5`.
fn number(text: &str) -> Result<(String, u32), String> {
    let fault = || "write it as NAME=N, as web=5".to_owned();
    let (name, number) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(fault)?;
    Ok((name.to_owned(), number.parse().map_err(|_| fault())?))
}

/// Scales the processes.
///
/// # Errors
/// There is none of that name, somebody else was first, the server refuses, or
/// the wait takes too long.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    if args.if_version.is_some() && args.numbers.len() > 1 {
        return Err(Failure::usage("--if-version: it is of one process; scale them one by one"));
    }
    context.block_on("scale", async {
        let connection = context.connect().await?;
        let (mut rows, mut revision) = (Vec::new(), 0);
        for (name, instances) in &args.numbers {
            let request = ScaleProcessRequest {
                name: name.clone(),
                instances: *instances,
                expected_generation: args.if_version,
                request_id: uuid::Uuid::new_v4().to_string(),
                reason: args.reason.clone(),
            };
            let what = format!("scale {name}");
            let answer = connection.call(&what, connection.rollouts().scale_process(request)).await?;
            let row = ApplyRow { result: answer.result.unwrap_or_default(), dry_run: false };
            revision = answer.revision;
            if !context.format.is_machine() {
                let text = format!("process/{name} scaled to {instances}");
                context.terminal.line(context.terminal.out.paint(row.tone(), text))?;
            }
            rows.push(row);
        }
        if context.format.is_machine() {
            list(&context.terminal, context.format, &rows, Some(revision))?;
        }
        if args.wait {
            for (name, _) in &args.numbers {
                wait_for(&connection, name, Condition::Ready, args.timeout, |_| Ok(())).await?;
            }
        }
        Ok(Exit::Done)
    })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_of_a_process() {
        assert_eq!(number("web=5"), Ok(("web".to_owned(), 5)));
        for bad in ["web", "=5", "web=", "web=-1", "web=x"] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }
}
