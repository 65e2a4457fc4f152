//! The log's handle.

use crate::content::Layout;
use crate::disk::{Directory, MarksFile};
use crate::running::{Shared, Started, create, read, start, stop};
use crate::{
    Durable, Entry, Extent, Fault, Figures, Floor, Identity, Limit, Lsn, OpenError, Position, ReadError, Refused,
    Settings, Survey, Vote, Write, recovery,
};
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// An open log. All methods may be called from any thread. Dropping it closes
/// it.
pub struct Log {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Log {
    /// Makes an empty log in a directory that is not there yet, or is empty.
    /// Opening never makes one. Whole or not at all; durable on return.
    ///
    /// # Errors
    /// [`OpenError::Exists`], [`OpenError::Settings`], or what the system said.
    pub fn create(dir: &Path, identity: &Identity, settings: &Settings) -> Result<(), OpenError> {
        create(dir, identity, settings)
    }

    /// Opens a log: reads and verifies all of it, cuts off what a crash left
    /// of the last write, and refuses everything else that is not as it was
    /// written. Durable on return is also what was not confirmed before.
    ///
    /// # Errors
    /// See [`OpenError`]; the directory is then as it was.
    pub fn open(
        dir: &Path,
        identity: &Identity,
        settings: &Settings,
        floor: &Floor,
    ) -> Result<(Self, Survey), OpenError> {
        let Started { shared, threads, survey } = start(dir, identity, settings, floor)?;
        Ok((Self { shared, threads: Mutex::new(threads) }, survey))
    }

    /// Submits a request. Once accepted it is visible to [`read`](Self::read),
    /// [`extent`](Self::extent) and [`vote`](Self::vote), and will be durable
    /// in the order of submission; the answer is the number that
    /// [`durable`](Self::durable) will reach. `done` is called exactly once,
    /// on a thread of the log and in the order of submission: `Ok` when this
    /// and everything before is durable. It must be quick, must not wait for
    /// the log, and must not panic: that is the end of the log.
    ///
    /// Does not wait for the disk, with one exception: when entries come
    /// faster than the next segment is made, it waits until that is there.
    ///
    /// # Errors
    /// See [`Refused`]; then nothing happened and `done` is never called.
    pub fn submit(&self, write: Write, done: impl FnOnce(Result<Lsn, Fault>) + Send + 'static) -> Result<Lsn, Refused> {
        self.shared.submit(write, Box::new(done))
    }

    /// Waits until a record is durable.
    ///
    /// # Errors
    /// The log failed or was closed before.
    pub fn wait(&self, lsn: Lsn) -> Result<(), Fault> {
        self.shared.wait(lsn)
    }

    /// Notes the committed position. It is written down with the next mark,
    /// some 50 ms later, and costs no sync of its own: after a crash an older
    /// one may be found.
    pub fn set_committed(&self, committed: Option<Position>) {
        self.shared.set_committed(committed);
    }

    /// The committed position as noted, or as found when the log was opened.
    #[must_use]
    pub fn committed(&self) -> Option<Position> {
        self.shared.committed()
    }

    /// Consecutive entries from `range.start` on: fewer than asked for where
    /// the log ends or the limit is reached, none where it ends before.
    ///
    /// # Errors
    /// The first entry is purged, or the disk cannot give them back as they
    /// were written.
    pub fn read(&self, range: Range<u64>, limit: Limit) -> Result<Vec<Entry>, ReadError> {
        read(&self.shared, range, limit)
    }

    /// What the log holds.
    #[must_use]
    pub fn extent(&self) -> Extent {
        self.shared.with_contents(|contents| contents.extent())
    }

    /// Term of an entry that is held.
    #[must_use]
    pub fn term(&self, index: u64) -> Option<u64> {
        self.shared.with_contents(|contents| contents.index().term(index))
    }

    /// The last vote.
    #[must_use]
    pub fn vote(&self) -> Option<Vote> {
        self.shared.with_contents(|contents| contents.vote())
    }

    /// How far the disk has come.
    #[must_use]
    pub fn durable(&self) -> Durable {
        self.shared.durable()
    }

    /// Numbers for whoever watches.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.shared.figures()
    }

    /// What an unprivileged process may still take on the disk.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        crate::running::free_bytes(&self.shared).ok()
    }

    /// Bytes that entries may take before another segment has to be made:
    /// what is left for sure when [`Space`](crate::Space) is not ample. Ends of
    /// segments that are too short for an entry count in vain.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.shared.room()
    }

    /// Bytes that the entries of one append may take on the disk, at 56 bytes
    /// each besides the payload, rounded up to a multiple of eight.
    #[must_use]
    pub fn largest_append(&self) -> u64 {
        Layout::largest(self.shared.settings.segment_bytes)
    }

    /// Finishes what was accepted, answers it, writes the last mark, lets go
    /// of the directory. Later requests are refused; reads still work.
    ///
    /// # Errors
    /// The log failed, before or now.
    pub fn close(&self) -> Result<(), Fault> {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        stop(&self.shared, threads);
        self.shared.fault().map_or(Ok(()), Err)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        let _ = self.close();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("dir", &self.shared.directory.path()).finish_non_exhaustive()
    }
}

/// Inspects a log that nobody has open, as [`Log::open`] would, and changes
/// nothing. The survey names the owner that it found.
///
/// # Errors
/// As [`Log::open`], without [`OpenError::Foreign`] of the whole log.
pub fn verify(dir: &Path) -> Result<Survey, OpenError> {
    let directory = Directory::new(dir);
    let marks = MarksFile::open(&directory, true)?;
    Ok(recovery::scan(&directory, &marks, None, &Floor::default(), false)?.survey)
}
