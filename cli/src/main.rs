//! The binary: hands over to the keeper when it was started as one, else to
//! the library.

use clap::CommandFactory as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: the keeper is this binary re-executed, and has to
    // stay small and without threads.
    runner_svc::keeper_main_if_asked();
    service_host::manual::write_if_asked(pmctl::args::Cli::command(), "1");
    pmctl::run(std::env::args_os())
}
