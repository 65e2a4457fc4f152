//! `pmctl up`: see [`crate::up`].

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::files;
use crate::output::{Paint, Tone};
use crate::up::daemon::{self, Message};
use crate::up::plan::Plan;
use crate::up::reporter::Reporter;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `up`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl up -f processes.yaml
  pmctl up -d -f processes.yaml      in the background; `pmctl down` ends it
  pmctl up                           what was defined before

With -f, processes that an earlier `up -f` defined and the files no longer have are deleted.")]
pub struct Args {
    /// Process file (YAML or JSON); - is standard input; may be repeated
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Go on in the background once everything is ready
    #[arg(short, long)]
    detach: bool,
    /// Where the gateway listens
    #[arg(long, default_value = "127.0.0.1:7480", env = "PM_GATEWAY_LISTEN", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Do not wait until everything is ready
    #[arg(long)]
    no_wait: bool,
    /// Longest wait until everything is ready; it goes on after it
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
    /// For pmctl itself
    #[arg(long = "detached-child", hide = true)]
    child: bool,
}

/// Runs everything.
///
/// # Errors
/// A file is not valid, another one runs, the port is in use, a service fails.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let wait = (!args.no_wait).then_some(args.timeout);
    if args.child {
        return child(context, Plan { processes: None, listen: args.listen, wait });
    }
    let mut plan = Plan { processes: None, listen: args.listen, wait };
    if !args.files.is_empty() {
        let read = files::read(&args.files)?;
        for warning in &read.warnings {
            context.terminal.note(format_args!("{} {warning}", context.terminal.err.paint(Tone::Warn, "warning:")));
        }
        plan.processes = Some(read.processes);
    }
    if !args.listen.ip().is_loopback() {
        context.terminal.complain(format_args!(
            "{} {} is reachable from other machines, without encryption",
            context.terminal.err.paint(Tone::Warn, "warning:"),
            args.listen
        ));
    }
    if args.detach {
        return daemon::run(context, &plan, context.verbose);
    }
    crate::up::run(context, plan, Reporter::terminal(context))
}

/// The background's side of `-d`: what fails is told to the parent, and stays
/// in the log.
fn child(context: &Context, mut plan: Plan) -> Result<Exit, Failure> {
    let result = daemon::take_over().and_then(|processes| {
        plan.processes = processes;
        crate::up::run(context, plan, Reporter::parent(context))
    });
    if let Err(failure) = &result
        && !failure.is_silent()
    {
        let text = failure.render(context.format, Paint::off());
        Message::Failed { exit: failure.exit().code(), text }.send();
    }
    result
}
