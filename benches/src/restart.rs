//! kill -9 of an instance → its successor's first instruction, with no delay
//! asked for, one child of 500; with the control plane there, and with registry,
//! monitor and gateway dead. Both sides run the same static program and are
//! killed by the same code; only the supervisor differs.

use crate::floor::Floor;
use crate::node::{Node, idle};
use crate::quantile::Times;
use crate::realtime;
use crate::reports::{Reports, now};
use crate::table::Row;
use anyhow::{Context as _, Result};
use std::process::{Child, Command};
use std::time::Duration;
use system_tests::{Sandbox, proc};

/// Restarts that count, after some that do not.
const ROUNDS: usize = 300;
const WARM_UP: usize = 300;
/// Children of the supervisor beside the one that is killed.
const OTHERS: usize = 499;

fn rounds(reports: &mut Reports, mut pid: u32) -> Result<(Times, u32)> {
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..WARM_UP + ROUNDS {
        let killed = now();
        proc::kill_9(pid);
        let (successor, began) = reports.next()?;
        if round >= WARM_UP {
            times.push(began.saturating_sub(killed));
        }
        pid = successor;
    }
    Ok((Times::new(times), pid))
}

/// Ended and reaped when it is dropped, with what it started.
pub(crate) struct Loop(pub(crate) Child);

impl Drop for Loop {
    fn drop(&mut self) {
        let children = proc::descendants(self.0.id());
        let _ = self.0.kill();
        let _ = self.0.wait();
        children.into_iter().for_each(proc::kill_9);
    }
}

/// Rows for the median and the tail, twice.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    let sandbox = Sandbox::new();

    let fifo = sandbox.path().join("floor.fifo");
    let mut reports = Reports::make(&fifo)?;
    let mut command = Command::new(floor.program("restart_loop"));
    let bare = Loop(command.arg(floor.program("first")).arg(&fifo).spawn().context("cannot start the floor")?);
    let mut raised = realtime::raise(&[bare.0.id()]);
    let (first, _) = reports.next()?;
    let (bare_times, _) = rounds(&mut reports, first)?;
    drop(bare);

    let fifo = sandbox.path().join("ours.fifo");
    let mut reports = Reports::make(&fifo)?;
    let mut node = Node::start(&sandbox, &[]);
    let first = format!(
        "{}  first:\n    command: ['{}', '{}']\n    restart: {{policy: always, backoff: {{initial: 0s}}}}\n",
        idle(&floor.word("idle"), OTHERS),
        floor.word("first"),
        fifo.display()
    );
    node.run(&first, OTHERS + 1)?;
    raised &= realtime::raise(&node.own());
    let (pid, _) = reports.next()?;
    let (times, pid) = rounds(&mut reports, pid)?;
    node.kill_control_plane();
    let (alone, _) = rounds(&mut reports, pid)?;

    let scheduling = if raised { "chrt -r 1 on both sides" } else { "ordinary scheduling" };
    let row = |what: &str, value: Duration, floor: Duration, most: f64| Row::ratio(what, value, floor, Some(most));
    let (p50, p99) = (bare_times.p50(), bare_times.p99());
    Ok(vec![
        row(&format!("restart, one of 500, delay 0, p50 ({scheduling})"), times.p50(), p50, 1.5),
        row("restart, one of 500, delay 0, p99", times.p99(), p99, 3.0),
        row("  registry, monitor and gateway dead, p50", alone.p50(), p50, 1.5),
        row("  registry, monitor and gateway dead, p99", alone.p99(), p99, 3.0),
    ])
}
