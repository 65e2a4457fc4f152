//! `pmctl start` of a process with 1,000 instances → the last one's first
//! instruction, through gateway, registry and runner, in one commit.

use crate::floor::Floor;
use crate::node::Node;
use crate::reports::{Reports, now};
use crate::restart::Loop;
use crate::table::Row;
use anyhow::{Context as _, Result, ensure};
use std::process::Command;
use system_tests::Sandbox;

const INSTANCES: usize = 1_000;

/// A row for the whole.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    let sandbox = Sandbox::new();
    let fifo = sandbox.path().join("floor.fifo");
    let mut reports = Reports::make(&fifo)?;
    let mut command = Command::new(floor.program("spawn_loop"));
    command.arg(INSTANCES.to_string()).arg(floor.program("first")).arg(&fifo);
    let began = now();
    let bare = Loop(command.spawn().context("cannot start the floor")?);
    let bare_time = reports.last_of(INSTANCES)?.saturating_sub(began);
    drop(bare);

    let fifo = sandbox.path().join("ours.fifo");
    let mut reports = Reports::make(&fifo)?;
    let node = Node::start(&sandbox, &[]);
    let many = format!(
        "processes:\n  many:\n    command: ['{}', '{}']\n    instances: {INSTANCES}\n    autostart: false\n",
        floor.word("first"),
        fifo.display()
    );
    node.run(&many, 0)?;
    let began = now();
    let started = node.cluster.pmctl(&["start", "many", "--no-wait"]);
    ensure!(started.code == 0, "cannot start: {started}");
    let time = reports.last_of(INSTANCES)?.saturating_sub(began);
    Ok(vec![Row::ratio("start of 1,000 by one command, all running", time, bare_time, Some(2.0))])
}
