//! Being told by the kernel that a limit was reached, or that a group has
//! become empty: inotify(7) on the files that say so, and eventfd(2) for memory
//! in version 1 (`cgroup.event_control`).

use super::find::Version;
use super::group::Group;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::inotify;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

/// Descriptors that are ready when there is something to tell.
#[derive(Debug, Default)]
pub(super) struct Watch {
    files: Option<OwnedFd>,
    memory: Option<OwnedFd>,
    populated: bool,
}

impl Watch {
    fn watch_file(&mut self, file: &Path) -> io::Result<()> {
        if self.files.is_none() {
            let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
            self.files = Some(inotify::init(flags)?);
        }
        if let Some(files) = &self.files {
            inotify::add_watch(files, file, inotify::WatchFlags::MODIFY)?;
        }
        Ok(())
    }

    /// Memory in version 1: out of it, or, when only observed, beyond a limit.
    fn watch_memory(&mut self, dir: &Path, threshold: Option<u64>) -> io::Result<()> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let file =
            File::open(dir.join(if threshold.is_some() { "memory.usage_in_bytes" } else { "memory.oom_control" }))?;
        let threshold = threshold.map_or_else(String::new, |bytes| format!(" {bytes}"));
        let order = format!("{} {}{threshold}", event.as_raw_fd(), file.as_raw_fd());
        fs::write(dir.join("cgroup.event_control"), order)?;
        self.memory = Some(event);
        Ok(())
    }

    /// Takes in what made the descriptors ready.
    fn drain(&self) {
        let mut buffer = [0_u8; 1024];
        for fd in self.files.iter().chain(&self.memory) {
            // An eventfd is empty after one reading; a queue of events holds few, for equal ones are merged.
            while matches!(rustix::io::read(fd, &mut buffer), Ok(n) if n == buffer.len()) {}
        }
    }
}

impl Group {
    /// Begins to wait for its limits; the descriptors are to be polled.
    /// Failures are told in words: then only its end will show what happened.
    pub(crate) fn watch_limits(&mut self) -> (Vec<BorrowedFd<'_>>, Option<String>) {
        let mut failed = None;
        if let Some(limited) = &self.limited {
            let mut watch = Watch::default();
            let threshold = limited.limits().memory.filter(|_| limited.observes());
            let memory = match limited.memory_group() {
                Some((Version::V1, dir)) => watch.watch_memory(dir, threshold),
                Some((Version::V2, dir)) if !limited.observes() => watch.watch_file(&dir.join("memory.events")),
                Some((Version::V2, _)) | None => Ok(()),
            };
            let pids = match limited.pids_group().filter(|_| !limited.observes()) {
                Some(dir) => watch.watch_file(&dir.join("pids.events")),
                None => Ok(()),
            };
            failed = memory.and(pids).err().map(|e| format!("limits are not watched: {e}"));
            if watch.files.is_some() || watch.memory.is_some() {
                self.watch = Some(Box::new(watch));
            }
        }
        let watch = self.watch.as_deref();
        (watch.into_iter().flat_map(|w| w.files.iter().chain(&w.memory)).map(AsFd::as_fd).collect(), failed)
    }

    /// Begins to wait for its becoming empty; a descriptor that is new is to
    /// be polled. `Err`: nobody will tell.
    pub(crate) fn watch_populated(&mut self) -> io::Result<Option<BorrowedFd<'_>>> {
        let file = self.populated_file().ok_or(io::ErrorKind::Unsupported)?;
        let watch = self.watch.get_or_insert_default();
        let is_new = watch.files.is_none();
        if !watch.populated {
            watch.watch_file(&file)?;
            watch.populated = true;
        }
        Ok(watch.files.as_ref().filter(|_| is_new).map(AsFd::as_fd))
    }

    /// Whether its usage has to be looked at from time to time.
    pub(crate) fn needs_looking(&self) -> bool {
        self.limited.as_ref().is_some_and(|limited| limited.needs_looking())
    }

    /// What there is to tell of its limits.
    pub(crate) fn news(&mut self) -> Vec<String> {
        if let Some(watch) = &self.watch {
            watch.drain();
        }
        self.limited.as_mut().map(|limited| limited.news(Instant::now())).unwrap_or_default()
    }

    /// Takes in that the main process ended now: whether that is for lack of
    /// memory, and what there is to tell of its limits.
    pub(crate) fn ended(&mut self) -> (bool, Vec<String>) {
        self.limited.as_mut().map(|limited| limited.ended(Instant::now())).unwrap_or_default()
    }
}
