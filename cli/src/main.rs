//! The binary: hands over to the keeper when it was started as one, else to
//! the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: the keeper is this binary re-executed, and has to
    // stay small and without threads.
    runner_svc::keeper_main_if_asked();
    pmctl::run(std::env::args_os())
}
