//! Waiting for log files to change: inotify(7) on the files and, because they
//! may be replaced or not be there yet, on their folders. Where the system has
//! no watch left, they are looked at twice a second instead.

use inotify::{EventStream, Inotify, WatchMask, Watches};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_stream::StreamExt;

/// Events read at once; what exactly happened does not matter, so the buffer
/// only has to hold one with the longest name.
const BUFFER: usize = 1024;

/// How often files are looked at that cannot be watched.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Files that are watched.
pub(crate) struct Watch {
    /// `None`: they cannot be watched.
    events: Option<EventStream<[u8; BUFFER]>>,
    /// Something could not be watched again: its folder is gone, or no watch is
    /// left.
    blind: Arc<AtomicBool>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("watching", &self.events.is_some()).finish()
    }
}

impl Watch {
    /// Watches `files` from now on. What happens between this call and
    /// [`Watch::changed`] is not missed. Has to be called within a runtime.
    pub(crate) fn new<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        let watch = || -> io::Result<EventStream<[u8; BUFFER]>> {
            let inotify = Inotify::init()?;
            for file in files {
                add(&mut inotify.watches(), file)?;
            }
            inotify.into_event_stream([0; BUFFER])
        };
        Self { events: watch().ok(), blind: Arc::default() }
    }

    /// What watches a file that has taken a name over.
    pub(crate) fn again(&self) -> Again {
        Again { watches: self.events.as_ref().map(EventStream::watches), blind: Arc::clone(&self.blind) }
    }

    /// Waits for the next change, or for the time to look without one.
    pub(crate) async fn changed(&mut self) {
        let blind = self.blind.load(Ordering::Relaxed);
        match &mut self.events {
            Some(events) if blind => {
                let _ = tokio::time::timeout(LOOK_EVERY, events.next()).await;
            }
            Some(events) => {
                if !matches!(events.next().await, Some(Ok(_))) {
                    self.events = None;
                }
            }
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Adds files to a [`Watch`], from any thread: finding a name may block.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    watches: Option<Watches>,
    blind: Arc<AtomicBool>,
}

impl Again {
    /// Watches whatever has the name now; nobody having it is fine.
    pub(crate) fn watch(&self, file: &Path) {
        if let Some(watches) = &self.watches {
            self.blind.store(add(&mut watches.clone(), file).is_err(), Ordering::Relaxed);
        }
    }
}

fn add(watches: &mut Watches, file: &Path) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let file_mask = WatchMask::MODIFY | WatchMask::ATTRIB | WatchMask::MOVE_SELF | WatchMask::DELETE_SELF;
    let folder_mask = WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::ONLYDIR;
    for (path, mask) in [(folder, folder_mask), (file, file_mask)] {
        match watches.add(path, mask) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound && path == file => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
