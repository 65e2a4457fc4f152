//! `cargo xtask VERB`: the recipes that people and CI share.
//!
//! | verb | what | writes |
//! |---|---|---|
//! | `verify` | every check that runs no product code | only below `target/` |
//! | `fix` | what a tool can mend | sources |
//! | `test` | builds all and runs every test | only below `target/` |
//! | `proto-baseline` | makes today's contract the one that `verify` compares with | `proto/baseline.binpb` |
//! | `chart-docs` | the chart's table of values, and its copies of dashboards and rules | `helm/` |
//! | `tools` | fetches what the other verbs need | only below `target/tools/` |
//! | `dist` | packages, tarball, checksums | `target/dist` |
//! | `debian-root` | makes the fresh Debian that tests install packages in, and says where it is | below `target/tools/` |
//! | `etcd` | installs what `benches -- registry` measures against | a Debian package |

mod chart_docs;
mod dist;
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
    /// Bring helm/README.md up to values.yaml, and copy dashboards and rules into the chart
    ChartDocs,
    /// Fetch the tools that verify and test need, and nothing else
    Tools,
    /// Make packages, tarball and checksums
    Dist(dist::Options),
    /// Make a fresh Debian for tests, unless it is there, and print its path last
    DebianRoot,
    /// Install etcd, which the registry's measures run against
    Etcd,
}

fn main() -> ExitCode {
    let outcome = Workspace::find().and_then(|workspace| match Arguments::parse().verb {
        Verb::Verify => verify::run(&workspace),
        Verb::Fix => fix::run(&workspace),
        Verb::Test => suite::run(&workspace),
        Verb::ProtoBaseline => tools::buf::write_baseline(&workspace),
        Verb::ChartDocs => chart_docs::write(&workspace),
        Verb::Tools => tools::all(&workspace),
        Verb::Dist(options) => dist::run(&workspace, options),
        Verb::DebianRoot => tools::debian_root::ready(&workspace).map(|root| println!("{}", root.display())),
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
