//! `pmctl start` of one program → its first instruction, through a gateway, a
//! commit on three replicas, a runner and its keeper, all over mTLS.

use super::options::Options;
use crate::floor::Floor;
use crate::quantile::Times;
use crate::reports::{Reports, now};
use crate::restart::Loop;
use crate::table::{Demand, Row};
use anyhow::{Context as _, Result, ensure};
use std::process::Command;
use std::time::Duration;
use system_tests::{Sandbox, Trusted};

/// Starts that do not count.
const WARM_UP: u32 = 10;

/// Rows for the median and the tail.
pub(super) fn rows(options: &Options, floor: &Floor) -> Result<Vec<Row>> {
    let sandbox = Sandbox::new();
    let fifo = sandbox.path().join("floor.fifo");
    let mut reports = Reports::make(&fifo)?;
    let bare = rounds(options, || {
        let mut command = Command::new(floor.program("spawn_loop"));
        command.arg("1").arg(floor.program("first")).arg(&fifo);
        let began = now();
        let bare = Loop(command.spawn().context("cannot start the floor")?);
        let (_, ran) = reports.next()?;
        drop(bare);
        Ok(ran.saturating_sub(began))
    })?;

    let fifo = sandbox.path().join("ours.fifo");
    let mut reports = Reports::make(&fifo)?;
    let mut fleet = Trusted::started(&sandbox, &[]);
    let (joined, said) = fleet.join(&fleet.join_command(&[]), "node-1");
    ensure!(joined, "the node cannot join: {said}");
    fleet.start_runner("node-1");
    let document = format!(
        "processes:\n  first:\n    command: ['{}', '{}']\n    autostart: false\n",
        floor.word("first"),
        fifo.display()
    );
    let done = |args: &[&str]| {
        let outcome = fleet.pmctl(args);
        ensure!(outcome.code == 0, "{outcome}");
        Ok(())
    };
    done(&["apply", "-f", &sandbox.write("first.yaml", &document)])?;
    let ours = rounds(options, || {
        let began = now();
        done(&["start", "first", "--no-wait"])?;
        let (_, ran) = reports.next()?;
        done(&["stop", "first"])?;
        Ok(ran.saturating_sub(began))
    })?;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let title = format!("pmctl start → the program's first instruction, 3 replicas, p50 of {}", options.starts);
    Ok(vec![
        Row::rival(&title, ms(ours.p50()), ms(bare.p50()), "ms", Demand::Nothing),
        Row::rival("  p99", ms(ours.p99()), ms(bare.p99()), "ms", Demand::ValueAtMost(20.0)),
        Row::rival("  max", ms(ours.quantile(1.0)), ms(bare.quantile(1.0)), "ms", Demand::Nothing),
    ])
}

fn rounds(options: &Options, mut round: impl FnMut() -> Result<Duration>) -> Result<Times> {
    for _ in 0..WARM_UP {
        round()?;
    }
    (0..options.starts).map(|_| round()).collect::<Result<Vec<_>>>().map(Times::new)
}
