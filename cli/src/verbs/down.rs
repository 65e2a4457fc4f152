//! `pmctl down`: ends the running `pmctl up` and everything it runs. Also what
//! a killed one left behind.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::identity::Handle;
use crate::output::document;
use crate::state_dir::{LockError, StateDir};
use crate::up::leftover;
use crate::up_record::UpRecord;
use crate::wait::DEFAULT_WAIT;
use serde_json::json;
use std::time::Duration;

/// Arguments of `down`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  pmctl down

What is stopped this way is still wanted: the next `pmctl up` starts it again.")]
pub struct Args {
    /// Longest wait for the end; the stop goes on after it (exit code 6)
    #[arg(long, default_value = DEFAULT_WAIT, value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
}

/// Ends it.
///
/// # Errors
/// It belongs to somebody else, or does not end in time.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let state = context.state()?;
    if !state.root().exists() {
        return say(context, "nothing runs", None);
    }
    let record = UpRecord::read(&state.up_record());
    if let Some(record) = &record {
        let pid = record.identity.pid;
        let handle =
            record.identity.open().map_err(|e| Failure::failed(format!("cannot look at process {pid}: {e}")))?;
        if let Some(handle) = handle {
            return end(context, &handle, pid, args.timeout);
        }
    }
    leftovers(context, &state, record.as_ref())
}

fn end(context: &Context, handle: &Handle, pid: u32, timeout: Duration) -> Result<Exit, Failure> {
    handle.terminate().map_err(|e| Failure::failed(format!("cannot end pmctl up (pid {pid}): {e}")))?;
    context.terminal.note(format_args!("stopping pmctl up (pid {pid}) and everything it runs"));
    let ended =
        handle.wait(timeout).map_err(|e| Failure::failed(format!("cannot wait for pmctl up (pid {pid}): {e}")))?;
    if ended {
        return say(context, "stopped", Some(pid));
    }
    let after = humantime::format_duration(timeout);
    Err(Failure::new(Exit::TimedOut, format!("pmctl up (pid {pid}) has not ended after {after}; it is still stopping"))
        .help("`pmctl down` again makes it faster, --timeout waits longer"))
}

/// Nobody is up. A keeper may still hold what a killed one left.
fn leftovers(context: &Context, state: &StateDir, record: Option<&UpRecord>) -> Result<Exit, Failure> {
    let _lock = match state.lock() {
        Ok(lock) => lock,
        Err(LockError::Held(pid)) => {
            let who = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            return Err(Failure::failed(format!("another pmctl{who} is starting or stopping it right now"))
                .help("run `pmctl down` again in a moment"));
        }
        Err(e @ LockError::Io(..)) => return Err(crate::up::home::refused(state, e)),
    };
    if let Some(record) = record {
        record.remove(&state.up_record());
    }
    if !runner_svc::keeper_lives(&state.runner()) {
        return say(context, "nothing runs", None);
    }
    let whom = record.map(|record| format!(" (pid {})", record.identity.pid)).unwrap_or_default();
    context.terminal.note(format_args!("pmctl up{whom} has ended, but what it started still runs; stopping it"));
    let terminal = context.terminal;
    let (runner, logs) = (state.runner(), state.logs());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("cannot start the runtime: {e}")))?;
    if !runtime.block_on(leftover::stop(runner, logs, &terminal))? {
        return Err(crate::up::not_stopped());
    }
    say(context, "stopped", None)
}

fn say(context: &Context, what: &str, pid: Option<u32>) -> Result<Exit, Failure> {
    if context.format.is_machine() {
        document(&context.terminal, context.format, &json!({ "result": what, "pid": pid }))?;
    } else {
        context.terminal.line(what)?;
    }
    Ok(Exit::Done)
}
