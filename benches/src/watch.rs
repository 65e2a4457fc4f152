//! `pmctl watch` of one program: everything of ours in memory (S2.13).

use crate::floor::Floor;
use crate::node::memory;
use crate::table::Row;
use anyhow::{Context as _, Result};
use std::process::Stdio;
use std::time::Duration;
use system_tests::{DEADLINE, Lines, Sandbox, proc};

const SETTLED: Duration = Duration::from_secs(5);

/// Rows: what it costs the machine, and what ps(1) shows.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    let sandbox = Sandbox::new();
    let log = sandbox.file("watched.log");
    let mut command = sandbox.command(&["watch", &floor.word("idle"), &log, "3600", "300"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut watch = command.spawn().context("cannot start pmctl watch")?;
    let lines = Lines::of(watch.stdout.take().context("its output is piped")?);
    let started = lines.find(DEADLINE, |line| line.contains("started with pid"));
    // A measure of rest: there is no event for "nothing happens any more".
    std::thread::sleep(SETTLED);
    let own = [watch.id(), proc::keeper_of(watch.id())];
    let sum = |field: &str| own.iter().map(|pid| memory(*pid, field)).sum::<Result<f64>>();
    let (pss, rss) = (sum("Pss"), sum("Rss"));
    proc::send(watch.id(), rustix::process::Signal::INT);
    watch.wait().context("cannot wait for pmctl watch")?;
    started.context("pmctl watch has not started its program")?;
    Ok(vec![
        Row::bound("pmctl watch of one program, everything of ours (PSS)", pss? / 1e6, Some(10.0), "MB"),
        Row::bound("  RSS of both processes, shared pages twice", rss? / 1e6, None, "MB"),
    ])
}
