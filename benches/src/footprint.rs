//! Anonymous memory of runner and keeper (`smaps_rollup`): what each further
//! instance costs, its output captured, and what they cost without any.

use crate::floor::Floor;
use crate::node::{Node, idle, memory};
use crate::table::Row;
use anyhow::Result;
use std::time::Duration;
use system_tests::Sandbox;

const FEW: u32 = 100;
const MANY: u32 = 1_000;
/// Starting is over and its garbage is given back.
const SETTLED: Duration = Duration::from_secs(5);

/// Of the runner and the keeper.
fn anonymous(floor: &Floor, instances: u32) -> Result<[f64; 2]> {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox, &[]);
    node.run(&idle(&floor.word("idle"), instances as usize), instances as usize)?;
    // A measure of rest: there is no event for "nothing happens any more".
    std::thread::sleep(SETTLED);
    let [runner, keeper] = node.own();
    Ok([memory(runner, "Anonymous")?, memory(keeper, "Anonymous")?])
}

/// Rows for the slope, its parts, and the base.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    let few = anonymous(floor, FEW)?;
    let many = anonymous(floor, MANY)?;
    let slope = |part: usize| (many[part] - few[part]) / f64::from(MANY - FEW);
    let whole = slope(0) + slope(1);
    let base = few[0] + few[1] - whole * f64::from(FEW);
    let kib = |bytes: f64| bytes / 1024.0;
    Ok(vec![
        Row::bound("memory of an idle instance, 100 → 1,000, runner and keeper", kib(whole), Some(8.0), "KiB"),
        Row::bound("  of it the keeper", kib(slope(1)), None, "KiB"),
        Row::bound("  base of both", kib(base) / 1024.0, Some(16.0), "MiB"),
    ])
}
