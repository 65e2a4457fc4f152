//! `cargo xtask VERB`: the recipes that people and CI share.
//!
//! | verb | what | writes |
//! |---|---|---|
//! | `verify` | every check that runs no product code | only below `target/` |
//! | `fix` | what a tool can mend | sources |
//! | `test` | builds all and runs every test | only below `target/` |
//! | `proto-baseline` | makes today's contract the one that `verify` compares with | `proto/baseline.binpb` |
//! | `tools` | fetches what the other verbs need | only below `target/tools/` |
//! | `etcd` | installs what `benches -- registry` measures against | a Debian package |

mod exec;
mod fix;
mod policy;
mod report;
mod suite;
mod tally;
mod tools;
mod verify;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The recipes of this workspace", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Check formatting, lints, documentation, dependencies, contract and policy; writes nothing
    Verify,
    /// Apply what formatters and lints can mend by themselves
    Fix,
    /// Set up what the tests need, build everything, run every test
    Test,
    /// Make today's contract the baseline of `buf breaking`: on a release, never to silence it
    ProtoBaseline,
    /// Fetch the tools that verify and test need, and nothing else
    Tools,
    /// Install etcd, which the registry's measures run against
    Etcd,
}

fn main() -> ExitCode {
    let outcome = Workspace::find().and_then(|workspace| match Arguments::parse().verb {
        Verb::Verify => verify::run(&workspace),
        Verb::Fix => fix::run(&workspace),
        Verb::Test => suite::run(&workspace),
        Verb::ProtoBaseline => tools::buf::write_baseline(&workspace),
        Verb::Tools => tools::all(&workspace),
        Verb::Etcd => tools::etcd::ready(),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
