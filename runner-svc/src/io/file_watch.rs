//! Waiting for a file to change: inotify(7) on the file and, because it may
//! be replaced or not be there yet, on its folder.

use inotify::{EventStream, Inotify, WatchMask, Watches};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio_stream::{Stream, StreamExt};

/// Events read at once; what exactly happened does not matter, so the buffer
/// only has to hold one with the longest name.
const BUFFER: usize = 1024;

pub(crate) struct FileWatch {
    events: EventStream<[u8; BUFFER]>,
}

impl std::fmt::Debug for FileWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWatch").finish_non_exhaustive()
    }
}

impl FileWatch {
    /// Watches `file` from now on. What happens between this call and
    /// [`FileWatch::changed`] is not missed.
    pub(crate) fn new(file: &Path) -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let folder = file.parent().unwrap_or(Path::new("/"));
        inotify.watches().add(folder, WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::ONLYDIR)?;
        let this = Self { events: inotify.into_event_stream([0; BUFFER])? };
        this.again().watch_file(file)?;
        Ok(this)
    }

    /// What watches a file that has taken the name over.
    pub(crate) fn again(&self) -> WatchAgain {
        WatchAgain(self.events.watches())
    }

    /// Forgets changes that were not waited for.
    pub(crate) fn forget_changes(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        // An error, or the end, is there again when somebody waits.
        while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut self.events).poll_next(&mut context) {}
    }

    /// Waits for the next change.
    pub(crate) async fn changed(&mut self) -> io::Result<()> {
        match self.events.next().await {
            Some(event) => event.map(drop),
            None => Err(io::Error::other("the watch has ended")),
        }
    }
}

/// Adds files to a [`FileWatch`], from any thread: finding a name may block.
#[derive(Debug, Clone)]
pub(crate) struct WatchAgain(Watches);

impl WatchAgain {
    /// Watches whatever has the name now; nobody having it is fine.
    pub(crate) fn watch_file(&self, file: &Path) -> io::Result<()> {
        let mask = WatchMask::MODIFY | WatchMask::ATTRIB | WatchMask::MOVE_SELF | WatchMask::DELETE_SELF;
        match self.0.clone().add(file, mask) {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        }
    }
}
