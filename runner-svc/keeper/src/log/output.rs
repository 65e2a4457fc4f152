//! One output of a run: the read end of its pipe, and the file it goes to.

use super::file::{Batch, LogFile, News};
use super::json::{Json, Objects};
use super::pulse::Pulse;
use super::state::OutputState;
use super::wire::{Gate, Wire};
use crate::diary::say;
use crate::run::wall_nanos;
use process_model::spec::{LogFormat, LogPolicy};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// Reads in one turn: a loud program does not starve the others.
const READS: usize = 8;

/// A pipe that was found full so often in a row gets more room, so that its
/// program waits less.
const LOUD: u8 = 8;

/// That room.
const WIDE: usize = 1 << 20;

/// Pipes that get it: all pipes of a user together may hold 64 MiB before new
/// ones get next to nothing (pipe(7), `pipe-user-pages-soft`).
const MOST_WIDE: u32 = 8;

static WIDENED: AtomicU32 = AtomicU32::new(0);

/// Why bytes are missing that were dropped while the disk hung.
pub(super) const HANGS: &str = "the disk did not answer";

/// A pipe and its file.
#[derive(Debug)]
pub(crate) struct Output {
    pub(super) wire: Arc<Wire>,
    file: LogFile,
    json: Option<Box<Json>>,
    /// What was read and the disk does not take, while the program waits.
    held: Option<Box<[u8]>>,
    /// Reads in a row that found the pipe full; `None`: it is wide.
    loud: Option<u8>,
    /// Waited for no more, until the disk takes more.
    pub(super) parked: bool,
    /// Everything is said about its end.
    closed: bool,
}

/// What a look at the pipe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    /// There may be more at once.
    More,
    /// Empty for now.
    Empty,
    /// The disk does not take more: the program waits.
    Blocked,
    /// Every writer has closed it.
    Closed,
}

impl Output {
    /// An output that goes to the file at `path`, and whether that could be
    /// opened; if not, it is tried again with the first write.
    pub(super) fn open(wire: Arc<Wire>, path: &Path) -> (Self, io::Result<()>) {
        let (file, opened) = match LogFile::open(path) {
            Ok(file) => (file, Ok(())),
            Err(e) => (LogFile::closed(path.to_owned()), Err(e)),
        };
        (Self { wire, file, json: None, held: None, loud: Some(0), parked: false, closed: false }, opened)
    }

    /// The program runs. What can wait until then has waited: whoever restarts
    /// a program wants it to run first of all.
    pub(super) fn begin(&mut self, policy: Option<LogPolicy>, json: Option<Box<Json>>) {
        self.json = json;
        self.file.begin(policy);
        self.file.mark_run();
    }

    /// Another policy from now on. Between bytes and objects there is no
    /// change within a run: a file would be neither.
    pub(super) fn keep_by(&mut self, mut policy: LogPolicy) {
        match &mut self.json {
            Some(json) if policy.format != LogFormat::Raw => json.speak(policy.format),
            Some(_) => policy.format = LogFormat::Ecs,
            None => policy.format = LogFormat::Raw,
        }
        self.file.keep_by(policy);
    }

    /// Lets the next write look whether the file was renamed away.
    pub(super) fn look_again(&mut self) {
        self.file.look_again();
    }

    /// Moves a bounded amount from pipe to file. The pipe is busy from then on:
    /// whoever tells what follows from it also tells that it is no more.
    pub(super) fn pump(&mut self, buffer: &mut [u8], gate: &Gate, pulse: &Pulse) -> Drained {
        self.wire.set_busy(true);
        let now = Instant::now();
        for _ in 0..READS {
            pulse.step();
            if !self.unload(now) {
                return Drained::Blocked;
            }
            let read = gate.as_scribe(|| rustix::io::read(&self.wire.pipe, &mut *buffer));
            // What was dropped came before this.
            self.count_missing(now);
            match read {
                Ok(0) => return Drained::Closed,
                Ok(n) => {
                    self.take(buffer.get(..n).unwrap_or_default(), now);
                    let full = n == buffer.len();
                    self.widen(full);
                    if !full {
                        // There is more now only if the program is fast: the loop tells.
                        return if self.held.is_some() { Drained::Blocked } else { Drained::More };
                    }
                }
                Err(rustix::io::Errno::AGAIN) => return Drained::Empty,
                Err(rustix::io::Errno::INTR) => {}
                // No other error is documented for a pipe of ours; it can give nothing more.
                Err(_) => return Drained::Closed,
            }
        }
        Drained::More
    }

    /// Counts what was read and dropped while the disk hung, so that the file tells of it.
    pub(super) fn count_missing(&mut self, now: Instant) {
        let missing = self.wire.take_missing();
        if missing > 0 {
            // A line that was begun before them never gets its end.
            self.write_begun(now);
            self.file.missed(missing, HANGS, now);
        }
    }

    /// Writes a line without an end.
    fn write_begun(&mut self, now: Instant) {
        if let Some(json) = &mut self.json {
            let objects = json.finish(wall_nanos());
            self.write_objects(&objects, now);
        }
    }

    fn take(&mut self, bytes: &[u8], now: Instant) {
        match &mut self.json {
            None => self.write(Batch { bytes, lines: None }, now),
            Some(json) => {
                let objects = json.push(bytes, wall_nanos());
                self.write_objects(&objects, now);
            }
        }
    }

    fn write_objects(&mut self, objects: &Objects, now: Instant) {
        if !objects.text.is_empty() {
            self.write(Batch { bytes: &objects.text, lines: Some(&objects.lines) }, now);
        }
    }

    fn write(&mut self, batch: Batch<'_>, now: Instant) {
        // Behind what is held back already.
        let taken = if self.held.is_some() { 0 } else { self.file.write(batch, self.json.as_deref(), now) };
        self.hold(batch.bytes.get(taken..).unwrap_or_default());
    }

    fn hold(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            let before = self.held.take().unwrap_or_default();
            self.held = Some([&before, rest].concat().into());
        }
    }

    /// Writes what is held back; false when the disk does not take it yet.
    fn unload(&mut self, now: Instant) -> bool {
        let Some(held) = self.held.take() else { return true };
        // Whole objects: with the program waiting, none is dropped and none has to be counted.
        let taken = self.file.write(Batch { bytes: &held, lines: None }, self.json.as_deref(), now);
        self.hold(held.get(taken..).unwrap_or_default());
        self.held.is_none()
    }

    fn widen(&mut self, full: bool) {
        let Some(loud) = &mut self.loud else { return };
        *loud = if full { *loud + 1 } else { 0 };
        if *loud < LOUD {
            return;
        }
        *loud = 0;
        let taken = WIDENED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < MOST_WIDE).then_some(n + 1));
        if taken.is_err() {
            return;
        }
        // Refused beyond the user's share: the pipe is as it was.
        if rustix::pipe::fcntl_setpipe_size(&self.wire.pipe, WIDE).is_ok() {
            self.loud = None;
        } else {
            WIDENED.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// When something is wrong: when to try again.
    pub(super) fn retry(&self) -> Option<Instant> {
        self.file.retry()
    }

    /// Tries to tell of what is missing, or to write what is held back.
    pub(super) fn try_again(&mut self, now: Instant) {
        if self.unload(now) {
            self.file.try_again(self.json.as_deref(), now);
        }
    }

    /// Something was read that is not in the file.
    pub(super) fn holds_back(&self) -> bool {
        self.held.is_some()
    }

    /// What the runner is to hear.
    pub(super) fn news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.file.news)
    }

    /// As data, for whoever goes on with the pipe.
    pub(super) fn state(&self) -> OutputState {
        let (dropped, reason) = self.file.dropped();
        OutputState {
            path: self.file.path().to_owned(),
            policy: self.file.policy().cloned(),
            lost: self.file.lost(),
            dropped,
            reason,
            index: self.file.pending_index(),
            json: self.json.as_deref().cloned(),
            held: self.held.as_deref().unwrap_or_default().to_vec(),
            is_wide: self.loud.is_none(),
        }
    }

    /// Goes on where another process was. A file that cannot be opened now is
    /// tried again with the next write.
    pub(super) fn restore(state: OutputState, wire: Arc<Wire>) -> Self {
        let mut file = LogFile::reopen(&state.path, state.policy);
        file.resume(state.lost, state.dropped, state.reason, state.index);
        if state.is_wide {
            WIDENED.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            wire,
            file,
            json: state.json.map(Box::new),
            held: (!state.held.is_empty()).then(|| state.held.into()),
            loud: (!state.is_wide).then_some(0),
            parked: false,
            closed: false,
        }
    }

    /// As data, for whoever goes on with the pipe at once: nothing is finished.
    pub(super) fn into_state(mut self) -> OutputState {
        self.count_missing(Instant::now());
        self.closed = true;
        self.state()
    }

    /// Nothing more comes: says what there is to say about the end.
    pub(super) fn finish(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let now = Instant::now();
        self.count_missing(now);
        self.unload(now);
        self.write_begun(now);
        let unwritten = self.held.take().map_or(0, |held| held.len());
        if unwritten > 0 {
            say!("{unwritten} bytes are missing at the end of {}", self.file.path().display());
        }
        self.file.close(self.json.as_deref());
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.finish();
        if self.loud.is_none() {
            WIDENED.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
