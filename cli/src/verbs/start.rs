//! `pmctl start`.

use super::order::{self, Target};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use pm_proto::v1::StartProcessesRequest;

/// Arguments of `start`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl start web
  pmctl start web-2 \"worker-*\" --reason \"new certificate\"")]
pub struct Args {
    #[command(flatten)]
    target: Target,
}

/// Asks for it and follows each instance's action to its end.
///
/// # Errors
/// Nothing matches, the server refuses, or the wait takes too long.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("start", async {
        let target = args.target;
        let connection = context.connect().await?;
        let request = StartProcessesRequest {
            selectors: target.targets.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            reason: target.reason.clone(),
        };
        let mut processes = connection.processes();
        let answer = connection.call(&target.what("start"), processes.start_processes(request)).await?;
        order::carry_out(context, &connection, &target, answer.actions, answer.revision).await
    })
}
