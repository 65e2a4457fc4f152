//! `pmctl status` with 500 instances, the whole command: exec, connect, ask,
//! print.

use crate::floor::Floor;
use crate::quantile::Times;
use crate::table::Row;
use anyhow::{Context as _, Result, ensure};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use system_tests::Sandbox;

const INSTANCES: usize = 500;
const ROUNDS: usize = 50;

fn times(mut command: impl FnMut() -> Command) -> Result<Times> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let mut command = command();
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let status = command.status().context("cannot run a command")?;
        times.push(began.elapsed());
        ensure!(status.success(), "{command:?} failed: {status}");
    }
    Ok(Times::new(times))
}

/// Rows for the median: absolute, as the target is, and over the floor.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    let sandbox = Sandbox::new();
    let up = sandbox
        .up(&format!("processes:\n  idle:\n    command: ['{}']\n    instances: {INSTANCES}\n", floor.word("idle")));
    ensure!(up.api().instances().len() == INSTANCES, "not all instances are there");
    let trivial = times(|| Command::new(floor.program("trivial")))?;
    let status = times(|| sandbox.command(&["status"]))?;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    Ok(vec![
        Row::bound(&format!("pmctl status, {INSTANCES} instances, p50"), milliseconds(status.p50()), Some(30.0), "ms"),
        Row::ratio("pmctl status over exec of a trivial program", status.p50(), trivial.p50(), None),
    ])
}
