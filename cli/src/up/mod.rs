//! `pmctl up`: every service in this one process, joined by in-memory
//! connections; only the gateway's port is open. The keeper apart.
//!
//! ```text
//! lock ─▶ port ─▶ registry, monitor, gateway ─▶ apply ─▶ runner ─▶ session (live log) ─▶ drain ─▶ close
//!   nothing is started before what can be refused has been: the files, the state, the port
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`plan`] | what was asked for |
//! | [`home`] | lock, port, tokens, record: what has to be had first |
//! | [`services`] | the services, and their end |
//! | [`session`] | the time between: what is shown, until somebody ends it |
//! | [`readiness`] | who is ready, and who will not be |
//! | [`summary`] | what is said once all are ready |
//! | [`reporter`] | to a terminal, or to the parent of a detached one |
//! | [`daemon`] | `-d`: the parent's side |
//! | [`leftover`] | a keeper whose `up` has gone |

pub mod daemon;
pub mod home;
pub mod leftover;
pub mod notices;
pub mod plan;
pub mod readiness;
pub mod reporter;
pub mod services;
pub mod session;
pub mod summary;

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::Tone;
use crate::signals::{Signals, Stop};
use crate::target::Target;
use home::Home;
use plan::Plan;
use reporter::Reporter;
use services::Services;
use std::time::Duration;

/// The work is small and waits most of the time; a thread each for the store's
/// commits and for everything else is enough, and each costs memory.
const WORKERS: usize = 2;

/// Store and file calls that block; more would only wait for the same disk.
const BLOCKING_THREADS: usize = 8;

/// Runs until somebody ends it.
///
/// # Errors
/// What was asked for is refused, or a service fails.
pub fn run(context: &Context, plan: Plan, mut reporter: Reporter) -> Result<Exit, Failure> {
    let home = Home::take(context.state()?, plan.listen)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(2)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("cannot start the runtime: {e}")))?;
    let result = runtime.block_on(live(context, plan, &home, &mut reporter));
    home.leave();
    // Whatever still blocks has nothing left to save: the services are closed.
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

async fn live(context: &Context, plan: Plan, home: &Home, reporter: &mut Reporter) -> Result<Exit, Failure> {
    let telemetry = context.telemetry("pmctl", reporter.log_level())?;
    let result = serve(plan, home, reporter).await;
    telemetry.shutdown();
    result
}

async fn serve(plan: Plan, home: &Home, reporter: &mut Reporter) -> Result<Exit, Failure> {
    let mut signals = Signals::new()?;
    let mut services = tokio::select! {
        services = Services::start(home) => services?,
        stop = signals.next() => return Ok(exit_of(stop)),
    };
    let target = Target::at(home.endpoint(), home.state().token())?;
    let connection = Connection::to(target, home.admin_token())?;
    // Before the runner starts: a refusal leaves everything as it is, and no
    // event of what follows is missed.
    let prepared = tokio::select! {
        prepared = session::prepare(&connection, &plan, reporter) => prepared,
        stop = signals.next() => {
            services.close().await;
            return Ok(exit_of(stop));
        }
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            services.close().await;
            return Err(failure);
        }
    };
    if let Err(failure) = services.start_runner(home).await {
        services.close().await;
        return Err(failure);
    }
    for fault in services.left_out_types() {
        reporter.say(Tone::Warn, &format!("a type is left out: {fault}"));
    }
    let ended = session::run(&connection, prepared, &plan, home, &mut services, &mut signals, reporter).await;
    reporter.stopping();
    let stopped = services.drain(&mut signals, reporter).await;
    services.close().await;
    if !stopped {
        return Err(not_stopped());
    }
    reporter.stopped();
    ended.map(exit_of)
}

/// Something survived SIGKILL; its keeper stays with it.
#[must_use]
pub fn not_stopped() -> Failure {
    Failure::failed("not everything could be stopped; what is left is held by its keeper")
        .help("the lines above say what; `pmctl down` tries again")
}

/// Ctrl-C is told from an orderly request, as the shell does.
fn exit_of(stop: Stop) -> Exit {
    match stop {
        Stop::Interrupted => Exit::Interrupted,
        Stop::Terminated => Exit::Done,
    }
}
