//! Measures of the built product, each as a ratio to a floor taken in the same
//! run: `cargo run --release -p benches [NAME …]`; without names all of them.
//!
//! `registry` and `fleet` take options of their own (`registry --help`), and
//! stand alone then.
//!
//! Prints one table. Times drift from machine to machine, ratios less so; a
//! measure that misses its target is shown, and never fails the run.
//!
//! | name | measure | floor |
//! |---|---|---|
//! | [`restart`] | kill -9 → the successor's first instruction, one of 500; the same with the control plane dead | a pidfd-and-vfork loop in C |
//! | [`start`] | one command → 1,000 instances run | a vfork loop in C |
//! | [`footprint`] | memory of each instance in runner and keeper, and their base | – |
//! | [`idle_cpu`] | processor time with 500 idle instances | – |
//! | [`capture`] | 1 GiB of output into rotated files | `program \| cat > file` |
//! | [`adopt`] | the next runner takes 1,000 instances over | – |
//! | [`watch`] | memory of `pmctl watch` | – |
//! | [`status`] | `pmctl status` of 500 instances, whole command | exec of a program that only ends |
//! | [`memory`] | PSS of `pmctl up`, all services in it, and its slope | – |
//! | [`quickstart`] | `pmctl up` of the quickstart to all ready | – |
//! | [`fleet`] | placements, thousands of runners and the death of their leader, a start through three replicas, planning | the same decisions without a cluster; fork and exec |
//! | [`registry`] | writes, reads, fail-over, memory, a large state | Debian's etcd; pwrite and fdatasync in C |

mod adopt;
mod capture;
mod crowded;
mod fleet;
mod floor;
mod footprint;
mod idle_cpu;
mod memory;
mod node;
mod place;
mod quantile;
mod quickstart;
mod realtime;
mod registry;
mod reports;
mod restart;
mod start;
mod status;
mod table;
mod watch;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use floor::Floor;
use std::process::Command;
use system_tests::binary;
use table::Row;

type Measure = fn(&Floor) -> Result<Vec<Row>>;

const MEASURES: &[(&str, Measure)] = &[
    ("restart", restart::run),
    ("start", start::run),
    ("footprint", footprint::run),
    ("idle_cpu", idle_cpu::run),
    ("capture", capture::run),
    ("adopt", adopt::run),
    ("watch", watch::run),
    ("status", status::run),
    ("memory", memory::run),
    ("quickstart", quickstart::run),
    ("registry", registry::run),
    ("fleet", fleet::run),
];

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    match wanted.first().map(String::as_str) {
        Some("registry") => {
            let options = registry::Options::parse_from(&wanted);
            build()?;
            print!("{}", table::render(&registry::run_with(&Floor::compile()?, &options)?));
            return Ok(());
        }
        Some("fleet") => {
            let options = fleet::Options::parse_from(&wanted);
            build()?;
            print!("{}", table::render(&fleet::run_with(&Floor::compile()?, &options)?));
            return Ok(());
        }
        Some(_) | None => {}
    }
    if let Some(unknown) = wanted.iter().find(|name| !MEASURES.iter().any(|(known, _)| known == name)) {
        let known: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).collect();
        bail!("there is no measure {unknown}; there are {}", known.join(", "));
    }
    build()?;
    let floor = Floor::compile()?;
    let mut rows = Vec::new();
    for (name, measure) in MEASURES {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            eprintln!("measuring {name} …");
            match measure(&floor) {
                Ok(measured) => rows.extend(measured),
                Err(error) => rows.push(Row::failed(name, &error)),
            }
        }
    }
    print!("{}", table::render(&rows));
    Ok(())
}

/// The programs under test, in the profile of this one, and the measure of
/// planning, which is an example. All of the workspace at once, so that
/// features are the same as in every other build.
fn build() -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--quiet", "--workspace", "--bins", "--example", "plan"])
        .current_dir(binary::workspace_root());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("the programs under test cannot be built");
    }
    Ok(())
}
