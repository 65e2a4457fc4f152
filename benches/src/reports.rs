//! What the program under test (`floor/first.c`) says of itself: who it is, and
//! when its first instruction ran.

use anyhow::{Context as _, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

/// Longest wait for a report; whatever takes longer is not measured, it failed.
const PATIENCE: i64 = 60;

/// The FIFO that the programs write into.
pub(crate) struct Reports(File);

impl Reports {
    /// Makes the FIFO.
    pub(crate) fn make(path: &Path) -> Result<Self> {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .context("cannot make a FIFO")?;
        // For writing too, so that it has no end between two programs.
        let file = File::options().read(true).write(true).open(path).context("cannot open the FIFO")?;
        Ok(Self(file))
    }

    /// The next report: process id, and when it began.
    pub(crate) fn next(&mut self) -> Result<(u32, Duration)> {
        let wait = Timespec { tv_sec: PATIENCE, tv_nsec: 0 };
        if poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&wait)).context("cannot wait for the FIFO")? == 0 {
            bail!("no program began within {PATIENCE} s");
        }
        let mut record = [0; 16];
        self.0.read_exact(&mut record).context("cannot read the FIFO")?;
        let (pid, time) = record.split_at(8);
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).context("a record of two numbers");
        Ok((u32::try_from(number(pid)?)?, Duration::from_nanos(number(time)?)))
    }

    /// When the last of so many began.
    pub(crate) fn last_of(&mut self, count: usize) -> Result<Duration> {
        let mut last = Duration::ZERO;
        for _ in 0..count {
            last = last.max(self.next()?.1);
        }
        Ok(last)
    }
}

/// The clock of the reports.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
