//! Processor time of runner and keeper with 500 idle instances: supervising
//! alone, without a control plane, and with samples every 10 s.

use crate::floor::Floor;
use crate::node::{Node, idle, processor_time};
use crate::table::Row;
use anyhow::Result;
use std::time::Duration;
use system_tests::Sandbox;

const INSTANCES: usize = 500;
const SETTLED: Duration = Duration::from_secs(5);
const SPAN: Duration = Duration::from_secs(30);

fn used(node: &Node<'_>) -> Result<f64> {
    let total = || node.own().iter().map(|pid| processor_time(*pid)).sum::<Result<Duration>>();
    // A measure of rest: there is no event for "nothing happens any more".
    std::thread::sleep(SETTLED);
    let before = total()?;
    std::thread::sleep(SPAN);
    Ok(total()?.saturating_sub(before).as_secs_f64())
}

fn idle_node<'s>(sandbox: &'s Sandbox, floor: &Floor, interval: &str) -> Result<Node<'s>> {
    let node = Node::start(sandbox, &["--sample-interval", interval]);
    node.run(&idle(&floor.word("idle"), INSTANCES), INSTANCES)?;
    Ok(node)
}

/// Rows for both.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    let sandbox = Sandbox::new();
    let mut node = idle_node(&sandbox, floor, "1h")?;
    node.kill_control_plane();
    let alone = used(&node)?;
    drop(node);
    let sandbox = Sandbox::new();
    let sampling = used(&idle_node(&sandbox, floor, "10s")?)?;
    Ok(vec![
        Row::seconds("processor time of 500 idle instances in 30 s, supervising", alone, 0.005),
        Row::seconds("  connected, samples every 10 s", sampling, 0.15),
    ])
}
