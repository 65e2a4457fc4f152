//! Proportional memory (PSS of `smaps_rollup`) of everything that is ours and
//! not an instance's: `pmctl up` with all services, and the keeper.

use crate::floor::Floor;
use crate::table::Row;
use anyhow::{Context as _, Result};
use std::time::Duration;
use system_tests::{Sandbox, Up};

const FEW: u32 = 100;
const MANY: u32 = 600;
/// Starting is over and its garbage is given back.
const SETTLED: Duration = Duration::from_secs(5);

/// PSS in KiB: of up, of the keeper.
fn pss(up: &Up<'_>) -> Result<(f64, f64)> {
    let of = |pid: u32| -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("cannot read smaps_rollup")?;
        let line = text.lines().find(|line| line.starts_with("Pss:")).context("smaps_rollup without Pss")?;
        line.split_whitespace().nth(1).context("Pss without a number")?.parse().context("Pss is no number")
    };
    Ok((of(up.pid())?, of(up.keeper())?))
}

fn idle(floor: &Floor, instances: u32) -> Result<(f64, f64)> {
    let sandbox = Sandbox::new();
    let up = sandbox
        .up(&format!("processes:\n  idle:\n    command: ['{}']\n    instances: {instances}\n", floor.word("idle")));
    // A measure of rest: there is no event for "nothing happens any more".
    std::thread::sleep(SETTLED);
    pss(&up)
}

/// Rows for the base, its parts and the slope.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    let (few_up, few_keeper) = idle(floor, FEW)?;
    let (many_up, many_keeper) = idle(floor, MANY)?;
    let slope = |few: f64, many: f64| (many - few) / f64::from(MANY - FEW);
    // The target is in MB (10^6 bytes), the kernel counts in KiB.
    let megabytes = |kib: f64| kib * 1024.0 / 1e6;
    Ok(vec![
        Row::bound(
            &format!("memory of up and keeper, {FEW} instances"),
            megabytes(few_up + few_keeper),
            Some(60.0),
            "MB",
        ),
        Row::bound("  of it the keeper", megabytes(few_keeper), None, "MB"),
        Row::bound(
            &format!("memory of each further instance ({FEW} → {MANY})"),
            slope(few_up + few_keeper, many_up + many_keeper),
            Some(24.0),
            "KiB",
        ),
        Row::bound("  of it the keeper", slope(few_keeper, many_keeper), None, "KiB"),
    ])
}
