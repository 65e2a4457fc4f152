//! Log lines on their way to stderr: whoever logs never waits for whoever reads.
//!
//! Enters: whole lines, from any thread. Leaves: the same lines, in their order, written by one thread of their own. A
//! reader that stops (a full pipe, a paused `journald`, a terminal with Ctrl-S) costs lines, which are counted, told in
//! the log as soon as it is read again, and shown as `pm_log_lines_dropped_total`; it never costs a call.

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that wait; as many more are on their way to the system. Seconds of a busy service at `debug`, and
/// little beside what any service needs.
const ROOM: usize = 512 * 1024;

/// Bytes that are kept for the next lines after a burst.
const KEPT: usize = 32 * 1024;

/// Written at a time: up to this size a pipe takes a write as a whole (`PIPE_BUF`, pipe(7)), so that lines of several
/// services on one pipe do not mix.
const AT_A_TIME: usize = 4096;

/// How long the end of a program waits for its last lines.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// Lines of this process that were left out.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The lines of this process; set once.
static OURS: OnceLock<Lines> = OnceLock::new();

/// How many log lines of this process were left out because stderr did not take them.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Waits until what was logged is written, at most `limit`; false when it is not.
pub(super) fn flush(limit: Duration) -> bool {
    OURS.get().is_none_or(|lines| lines.flush(limit))
}

/// A way to log lines. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// There is something to write.
    more: Condvar,
    /// Something was written.
    less: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Something was taken and is not yet written.
    is_writing: bool,
}

impl Lines {
    /// The lines of this process, on stderr; the thread that writes them begins.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn on_stderr() -> io::Result<Self> {
        if let Some(lines) = OURS.get() {
            return Ok(lines.clone());
        }
        // Not by the standard library's handle: its lock would be held while a write waits, and whoever panics meanwhile
        // would wait with it.
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let lines = Self::into_writer(stderr)?;
        Ok(OURS.get_or_init(|| lines).clone())
    }

    fn into_writer(out: impl Write + Send + 'static) -> io::Result<Self> {
        let lines = Self(Arc::default());
        let shared = lines.0.clone();
        // Formatting one line of its own is all that it needs a stack for.
        let thread = std::thread::Builder::new().name("log-lines".to_owned()).stack_size(256 * 1024);
        thread.spawn(move || shared.write_on(out))?;
        Ok(lines)
    }

    fn flush(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut waiting = self.0.lock();
        while waiting.is_writing || !waiting.lines.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            waiting = self.0.less.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that holds the lock panics.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.lines.len() + line.len() > ROOM {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.lines.extend_from_slice(line);
        let sleeps = !waiting.is_writing;
        drop(waiting);
        if sleeps {
            self.more.notify_one();
        }
    }

    /// The thread: takes what waits, writes it, says what had to be left out.
    fn write_on(&self, mut out: impl Write) {
        let mut taken = Vec::new();
        let mut told = dropped();
        loop {
            let mut waiting = self.lock();
            waiting.is_writing = false;
            self.less.notify_all();
            while waiting.lines.is_empty() {
                waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            mem::swap(&mut waiting.lines, &mut taken);
            waiting.is_writing = true;
            drop(waiting);
            write_whole_lines(&mut out, &taken);
            taken.clear();
            taken.shrink_to(KEPT);
            let now = dropped();
            if now > told {
                tracing::warn!(lines = now - told, "log lines were left out: standard error did not take them");
                told = now;
            }
        }
    }
}

/// Several whole lines at a time, and a longer one alone.
fn write_whole_lines(out: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let head = bytes.get(..AT_A_TIME).unwrap_or(bytes);
        let ends = |part: &[u8]| part.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let first = || bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let (now, later) = bytes.split_at(ends(head).or_else(first).unwrap_or(bytes.len()));
        if out.write_all(now).is_err() {
            // Closed, or set not to wait: it is gone for whoever reads, and the next line may get through.
            let lines = now.iter().filter(|byte| **byte == b'\n').count();
            DROPPED.fetch_add(lines as u64, Ordering::Relaxed);
        }
        bytes = later;
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'l> MakeWriter<'l> for Lines {
    type Writer = &'l Lines;

    fn make_writer(&'l self) -> &'l Lines {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// Keeps what each write was.
    #[derive(Default)]
    struct Writes(Vec<Vec<u8>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_whole_and_only_a_long_one_takes_more_than_a_pipe_takes_at_once() {
        let short = [vec![b'a'; 1500], b"\n".to_vec()].concat();
        let long = [vec![b'b'; 10_000], b"\n".to_vec()].concat();
        let mut writes = Writes::default();
        write_whole_lines(&mut writes, &[&short[..], &short, &short, &long, &short, b"no end"].concat());
        assert!(writes.0[..4].iter().all(|write| write.ends_with(b"\n")));
        let sizes: Vec<usize> = writes.0.iter().map(Vec::len).collect();
        assert_eq!(sizes, [3002, 1501, 10_001, 1501, 6]);
    }

    #[test]
    fn a_reader_that_stops_costs_lines_and_no_time_and_what_waits_comes_out_in_order() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = Lines::into_writer(writer).unwrap();
        let before = dropped();
        let line = |n: usize| format!("{n:0100}\n");
        // More than the pipe, what is on its way and what may wait hold together: 64 KiB and twice ROOM.
        let count = (3 * ROOM) / 101;
        for n in 0..count {
            (&lines).write_all(line(n).as_bytes()).unwrap();
        }
        let left_out = dropped() - before;
        assert!(left_out > 0 && (left_out as usize) < count, "{left_out} of {count}");
        assert!(!lines.flush(Duration::from_millis(10)), "nobody reads");

        let mut text = vec![0; (count - left_out as usize) * 101];
        reader.read_exact(&mut text).unwrap();
        assert!(lines.flush(Duration::from_secs(10)));
        let read: Vec<usize> =
            text.split(|b| *b == b'\n').filter_map(|l| str::from_utf8(l).ok()?.parse().ok()).collect();
        assert_eq!(read.len(), count - left_out as usize);
        assert!(read.is_sorted() && read[0] == 0);
    }
}
