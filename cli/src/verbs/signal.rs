//! `pmctl signal`: the main process gets a signal.

use super::order::{self, Target};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use pm_proto::v1::SignalProcessesRequest;
use process_model::spec::Signal;

/// Arguments of `signal`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl signal USR1 web
  pmctl signal SIGHUP \"proxy-*\" --reason \"new certificate\"

To end a program use `pmctl stop`: what a signal ends is restarted by its policy.
An instance that does not run is not started: its signal fails.")]
pub struct Args {
    /// Name, as HUP or SIGUSR1, or number, 1 to 31
    #[arg(value_name = "SIGNAL", value_parser = |text: &str| text.parse::<Signal>())]
    signal: Signal,
    #[command(flatten)]
    target: Target,
}

/// Asks for it and follows each instance's action to its end.
///
/// # Errors
/// Nothing matches, the server refuses, or the wait takes too long.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("signal", async {
        let Args { signal, target } = args;
        let connection = context.connect().await?;
        let request = SignalProcessesRequest {
            selectors: target.targets.clone(),
            signal: signal.to_string(),
            request_id: uuid::Uuid::new_v4().to_string(),
            reason: target.reason.clone(),
        };
        let mut processes = connection.processes();
        let what = target.what(&format!("signal {signal}"));
        let answer = connection.call(&what, processes.signal_processes(request)).await?;
        order::carry_out(context, &connection, &target, answer.actions, answer.revision).await
    })
}
