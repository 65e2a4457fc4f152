//! `pmctl stop`. What is stopped stays stopped, over restarts of everything.

use super::order::{self, Target};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use pm_proto::convert::duration_to_wire;
use pm_proto::v1::StopProcessesRequest;
use std::time::Duration;

/// Arguments of `stop`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl stop web
  pmctl stop \"*\" --stop-timeout 30s")]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Time between the stop signal and SIGKILL, instead of the spec's
    #[arg(long, value_parser = humantime::parse_duration, value_name = "DURATION")]
    stop_timeout: Option<Duration>,
}

/// Asks for it and follows each instance's action to its end.
///
/// # Errors
/// Nothing matches, the server refuses, or the wait takes too long.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("stop", async {
        let mut target = args.target;
        if let Some(stop) = args.stop_timeout {
            // The wait has to outlast what was asked for.
            target.timeout = target.timeout.max(stop.saturating_add(Duration::from_secs(30)));
        }
        let connection = context.connect().await?;
        let request = StopProcessesRequest {
            selectors: target.targets.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            reason: target.reason.clone(),
            timeout: args.stop_timeout.map(duration_to_wire),
        };
        let mut processes = connection.processes();
        let answer = connection.call(&target.what("stop"), processes.stop_processes(request)).await?;
        order::carry_out(context, &connection, &target, answer.actions, answer.revision).await
    })
}
