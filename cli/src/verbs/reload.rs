//! `pmctl reload`: the configuration is read anew, without an end.

use super::order::{self, Target};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use pm_proto::v1::ReloadProcessesRequest;

/// Arguments of `reload`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl reload web
  pmctl reload \"proxy-*\" --reason \"new certificate\"

Runs the process's reload hook; without one it sends SIGHUP to the main process.
An instance that does not run is not started: its reload fails.")]
pub struct Args {
    #[command(flatten)]
    target: Target,
}

/// Asks for it and follows each instance's action to its end.
///
/// # Errors
/// Nothing matches, the server refuses, or the wait takes too long.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("reload", async {
        let target = args.target;
        let connection = context.connect().await?;
        let request = ReloadProcessesRequest {
            selectors: target.targets.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            reason: target.reason.clone(),
        };
        let mut processes = connection.processes();
        let answer = connection.call(&target.what("reload"), processes.reload_processes(request)).await?;
        order::carry_out(context, &connection, &target, answer.actions, answer.revision).await
    })
}
