//! kill -9 of an instance → its successor's first instruction, with no delay
//! asked for. Both sides run the same static program and are killed by the
//! same code; only the supervisor differs.

use crate::floor::Floor;
use crate::quantile::Times;
use crate::realtime;
use crate::table::Row;
use anyhow::{Context as _, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;
use system_tests::{Sandbox, proc};

/// Restarts that count, after some that do not.
const ROUNDS: usize = 300;
const WARM_UP: usize = 20;

/// The program's reports: who it is, and when it began.
struct Reports(File);

impl Reports {
    fn make(path: &Path) -> Result<Self> {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .context("cannot make a FIFO")?;
        // For writing too, so that it has no end between two programs.
        let file = File::options().read(true).write(true).open(path).context("cannot open the FIFO")?;
        Ok(Self(file))
    }

    fn next(&mut self) -> Result<(u32, Duration)> {
        let wait = Timespec { tv_sec: 30, tv_nsec: 0 };
        if poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&wait)).context("cannot wait for the FIFO")? == 0 {
            bail!("no successor within 30 s");
        }
        let mut record = [0; 16];
        self.0.read_exact(&mut record).context("cannot read the FIFO")?;
        let (pid, time) = record.split_at(8);
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).context("a record of two numbers");
        Ok((u32::try_from(number(pid)?)?, Duration::from_nanos(number(time)?)))
    }
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn rounds(reports: &mut Reports) -> Result<Times> {
    let mut times = Vec::with_capacity(ROUNDS);
    let (mut pid, _) = reports.next()?;
    for round in 0..WARM_UP + ROUNDS {
        let killed = now();
        proc::kill_9(pid);
        let (successor, began) = reports.next()?;
        if round >= WARM_UP {
            times.push(began.saturating_sub(killed));
        }
        pid = successor;
    }
    Ok(Times::new(times))
}

/// Ended and reaped when it is dropped, with what it started.
struct Loop(Child);

impl Drop for Loop {
    fn drop(&mut self) {
        let children = proc::descendants(self.0.id());
        let _ = self.0.kill();
        let _ = self.0.wait();
        children.into_iter().for_each(proc::kill_9);
    }
}

/// Rows for the median and the tail.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    let sandbox = Sandbox::new();

    let fifo = sandbox.path().join("floor.fifo");
    let mut reports = Reports::make(&fifo)?;
    let mut command = Command::new(floor.program("restart_loop"));
    let bare = Loop(command.arg(floor.program("first")).arg(&fifo).spawn().context("cannot start the floor")?);
    let raised = realtime::raise(&[bare.0.id()]);
    let bare_times = rounds(&mut reports)?;
    drop(bare);

    let fifo = sandbox.path().join("ours.fifo");
    let mut reports = Reports::make(&fifo)?;
    let up = sandbox.up(&format!(
        "processes:\n  first:\n    command: ['{}', '{}']\n    restart: {{policy: always, backoff: {{initial: 0s}}}}\n",
        floor.word("first"),
        fifo.display()
    ));
    let raised = raised && realtime::raise(&[up.pid(), up.keeper()]);
    let our_times = rounds(&mut reports)?;

    let scheduling = if raised { "chrt -r 1 on both sides" } else { "ordinary scheduling" };
    Ok(vec![
        Row::ratio(&format!("restart, delay 0, p50 ({scheduling})"), our_times.p50(), bare_times.p50(), Some(2.5)),
        Row::ratio("restart, delay 0, p99", our_times.p99(), bare_times.p99(), None),
    ])
}
