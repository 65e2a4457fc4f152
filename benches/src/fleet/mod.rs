//! A fleet: three replicas as processes of their own on a disk, over mTLS on
//! loopback, with thousands of runners, simulated where their number is what is
//! measured and real where a program is.
//!
//! | module | what |
//! |---|---|
//! | [`options`] | how much of it, from the command line |
//! | [`plan`] | deciding, without a cluster |
//! | [`placements`] | 10,000 instances on 1,000 connected nodes |
//! | [`runners`] | 5,000 runners: processor, memory, and the death of the leader |
//! | [`first_instruction`] | `pmctl start` through all of it |

mod first_instruction;
mod options;
mod placements;
mod plan;
mod runners;

pub(crate) use options::Options;

use crate::crowded;
use crate::floor::Floor;
use crate::table::Row;
use anyhow::{Result, bail};
use options::Part;
use std::time::Duration;

/// Starting is over and its garbage is given back.
const SETTLED: Duration = Duration::from_secs(5);

/// Rows of all parts, under standard conditions.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    run_with(floor, &Options::standard())
}

/// Rows of what the options ask for. Ctrl-C and SIGTERM end it with an error,
/// once everything that was started is gone.
pub(crate) fn run_with(floor: &Floor, options: &Options) -> Result<Vec<Row>> {
    crowded::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            rows = rows(floor, options) => Ok(rows),
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = terminated.recv() => bail!("terminated"),
        }
    })
}

/// What could not be measured is a row, too.
async fn rows(floor: &Floor, options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut decided = None;
    let mut keep = |part: &str, measured: Result<Vec<Row>>| match measured {
        Ok(measured) => rows.extend(measured),
        Err(error) => rows.push(Row::failed(&format!("fleet, {part}"), &error)),
    };
    if options.wants(Part::Plan) || options.wants(Part::Placements) {
        eprintln!("  planning …");
        let planned = plan::measure();
        decided = planned.as_ref().ok().map(|planned| planned.commands);
        if options.wants(Part::Plan) {
            keep("planning", planned.map(|planned| planned.rows()));
        }
    }
    if options.wants(Part::Placements) {
        eprintln!("  placements …");
        keep("placements", placements::rows(options, decided).await);
    }
    if options.wants(Part::Runners) {
        eprintln!("  runners …");
        keep("runners", runners::rows(options).await);
    }
    if options.wants(Part::Start) {
        eprintln!("  starts …");
        keep("starts", first_instruction::rows(options, floor));
    }
    rows
}
