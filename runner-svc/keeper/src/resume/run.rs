//! A run to its image and back.

use super::{Found, Kept, OutputImage, RunImage};
use crate::held::Held;
use crate::log::{Desk, Key, Outlet, States, Wire};
use crate::run::Run;
use crate::tree;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Nanoseconds of the clock that `Instant` is of.
fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds * 1_000_000_000 + nanos
}

fn written(at: Instant) -> u64 {
    monotonic().saturating_sub(u64::try_from(at.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

fn read(at: u64) -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_nanos(monotonic().saturating_sub(at))).unwrap_or(now)
}

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// This process as another program, at once.
    NextProgram,
    /// Another keeper, should this one be lost some time.
    Successor,
}

impl Run {
    /// Writes the run down. `reaper` is the parent of its main process when
    /// that is not this keeper.
    /// `states` are where its outputs are.
    pub(crate) fn image<'a>(
        &'a self,
        run: u64,
        reaper: Option<u32>,
        whom: For,
        states: &mut States,
        kept: &mut Kept<'a>,
    ) -> RunImage {
        let pidfd = Some(kept.put(&self.pidfd));
        let mut index = 0;
        let outputs = self.outputs.each_ref().map(|output| {
            let key = Key { run, index };
            index += 1;
            let (output, state) = (output.as_ref()?, states.remove(&key)?);
            let state = match whom {
                For::NextProgram => state,
                For::Successor => state.lasting(),
            };
            Some(OutputImage { pipe: kept.put(&output.wire.pipe), state })
        });
        RunImage {
            run,
            instance: self.instance.clone(),
            pid: self.pid,
            start_time: self.start_time,
            started_at: self.started_at,
            started: written(self.started),
            ended: self.ended.map(written),
            ending: self.ending.clone(),
            condemned: self.condemned,
            fenced: self.fenced,
            reaper,
            pidfd,
            outputs,
            held: self.held.image(kept),
            sockets: Vec::new(),
        }
    }

    /// The run of an image.
    ///
    /// # Errors
    /// Nobody can tell any more which process is its main one.
    pub(crate) fn of_image(image: RunImage, found: &mut Found, desk: &Desk) -> io::Result<Self> {
        let pidfd = match image.pidfd.and_then(|place| found.take(place)) {
            Some(pidfd) => pidfd,
            None => identified(image.pid, image.start_time)?,
        };
        let mut index = 0;
        let outputs = image.outputs.map(|output| {
            index += 1;
            let output = output?;
            let mut outlet = Outlet::new(Wire::new(found.take(output.pipe)?), output.state.path.clone());
            desk.restore(image.run, index - 1, &mut outlet, output.state);
            Some(outlet)
        });
        Ok(Self {
            instance: image.instance,
            pid: image.pid,
            pidfd,
            start_time: image.start_time,
            started_at: image.started_at,
            started: read(image.started),
            ended: image.ended.map(read),
            ending: image.ending,
            condemned: image.condemned,
            fenced: image.fenced,
            outputs,
            held: Held::of_image(image.held, found),
        })
    }
}

/// A descriptor of the process that has this number and began then.
fn identified(pid: u32, start_time: u64) -> io::Result<OwnedFd> {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pidfd = pidfd_open(number.ok_or_else(|| io::Error::other("no process has this number"))?, PidfdFlags::empty())?;
    // Opened first: it is of whoever has the number now.
    if tree::start_time(pid) == Some(start_time) {
        return Ok(pidfd);
    }
    Err(io::Error::other("the main process has gone"))
}
