//! The kernel's word that something happened to one of the watched files.
//!
//! Watches are few on some machines (`fs.inotify.max_user_watches`), and some
//! file systems have none: then nobody rings, and the looks of each interval
//! are all there is.

use super::look::Watched;
use crate::io::file_watch::FileWatch;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

pub(super) struct Alarm {
    /// One for each file.
    watches: Vec<FileWatch>,
    /// Why there is none, until it was told.
    broken: Option<String>,
}

impl Alarm {
    /// Watches the files from now on.
    pub(super) async fn new(files: &[Watched]) -> Self {
        match watches(files).await {
            Ok(watches) => Self { watches, broken: None },
            Err(e) => Self { watches: Vec::new(), broken: Some(e.to_string()) },
        }
    }

    /// Why there are no watches any more; once.
    pub(super) fn news(&mut self) -> Option<String> {
        self.broken.take()
    }

    /// Waits until something happened; for ever without watches.
    pub(super) async fn rings(&mut self) {
        let mut changes: Vec<_> = self.watches.iter_mut().map(|watch| Box::pin(watch.changed())).collect();
        let first = poll_fn(|context| {
            for change in &mut changes {
                if let Poll::Ready(outcome) = change.as_mut().poll(context) {
                    return Poll::Ready(outcome);
                }
            }
            Poll::Pending
        });
        let outcome = first.await;
        drop(changes);
        self.mind(outcome);
    }

    /// Forgets what has happened since; the files that have the names now are
    /// watched.
    pub(super) async fn calm_down(&mut self, files: &[Watched]) {
        let again: Vec<_> = self.watches.iter().map(FileWatch::again).collect();
        for watch in &mut self.watches {
            watch.forget_changes();
        }
        let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
        let watched = tokio::task::spawn_blocking(move || {
            again.iter().zip(&paths).try_for_each(|(watch, path)| watch.watch_file(path))
        });
        self.mind(watched.await.unwrap_or_else(|e| Err(io::Error::other(e))));
    }

    fn mind(&mut self, outcome: io::Result<()>) {
        if let Err(e) = outcome {
            self.watches.clear();
            self.broken = Some(e.to_string());
        }
    }
}

async fn watches(files: &[Watched]) -> io::Result<Vec<FileWatch>> {
    // The folders have to be there; a look makes those that are ours to make.
    super::look::at(files).await;
    let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    // On a thread that may block: finding a name may.
    let made = tokio::task::spawn_blocking(move || paths.iter().map(|path| FileWatch::new(path)).collect());
    made.await.unwrap_or_else(|e| Err(io::Error::other(e)))
}
