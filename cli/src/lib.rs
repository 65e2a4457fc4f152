//! `pmctl`: the command line. A gRPC client of the gateway; `up` and `watch`
//! also embed the services.
//!
//! ```text
//! argv ─args─▶ Verb ─verbs/─▶ Connection ─▶ gateway
//!                 └─▶ up/ (every service in this process) · watch (a runner alone)
//! answer ─output/─▶ stdout        Failure ─error─▶ stderr + exit code
//! ```
//!
//! | to change | edit |
//! |---|---|
//! | a verb | `verbs/`, one file each |
//! | what `pmctl up` runs and in which order | [`up`] |
//! | how the service is found | [`target`], [`up_record`], [`state_dir`] |
//! | exit codes, error texts | [`exit`], [`error`] |
//! | what `wait` and `--wait` wait for | [`condition`] |
//! | lists of several pages | [`pages`] |
//! | tables, colours, machine formats | [`output`] |
//! | the line of an event | [`live`] |
//! | how a restart policy is told | [`restart_story`] |

pub mod applying;
pub mod args;
pub mod condition;
pub mod connection;
pub mod context;
pub mod den;
pub mod error;
pub mod exit;
pub mod files;
pub mod follow;
pub mod global;
pub mod identity;
pub mod live;
pub mod moment;
pub mod output;
pub mod pages;
pub mod restart_story;
pub mod signals;
pub mod state_dir;
pub mod target;
pub mod up;
pub mod up_record;
pub mod verbs;
pub mod wait;

use clap::Parser;
use context::Context;
use error::Failure;
use exit::Exit;
use std::ffi::OsString;
use std::process::ExitCode;

/// Parses the arguments, carries the verb out and reports how it ended. Does
/// not touch any global state besides the streams, so a test can call it.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match args::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(refused) => {
            // Help and version go to stdout with 0, the rest to stderr with 2.
            let _ = refused.print();
            return ExitCode::from(u8::try_from(refused.exit_code()).unwrap_or(Exit::Usage.code()));
        }
    };
    let context = Context::new(&cli.global);
    match cli.verb.run(&context) {
        Ok(exit) => exit.into(),
        Err(failure) => report(&context, &failure),
    }
}

fn report(context: &Context, failure: &Failure) -> ExitCode {
    if !failure.is_silent() {
        context.terminal.complain(failure.render(context.format, context.terminal.err));
    }
    failure.exit().into()
}
