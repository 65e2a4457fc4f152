//! A new pair takes the place of the old one when its files change: inotify(7) on their folders, since files are replaced
//! rather than written, and a link to a folder (a Kubernetes secret) changes all at once.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use futures::StreamExt;
use inotify::{Inotify, WatchMask};
use tokio_util::sync::CancellationToken;

use super::Identity;

/// Certificate and key come one after the other, in some order: what is between is not looked at before it has been
/// quiet for so long.
const QUIET: Duration = Duration::from_millis(300);
/// Who writes all the time does not put it off for longer.
const AT_MOST: Duration = Duration::from_secs(5);
/// What exactly happened does not matter: the buffer only has to hold one event with the longest name.
const BUFFER: usize = 1024;

impl Identity {
    /// Watches the files from the moment of this call on, until `stop`.
    ///
    /// # Errors
    /// The folders cannot be watched.
    pub fn watch(&self, stop: CancellationToken) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let inotify = Inotify::init()?;
        let mask = WatchMask::CLOSE_WRITE
            | WatchMask::MOVED_TO
            | WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::ATTRIB
            | WatchMask::ONLYDIR;
        for folder in self.files().folders() {
            let told =
                |error: io::Error| io::Error::new(error.kind(), format!("cannot watch {}: {error}", folder.display()));
            inotify.watches().add(&folder, mask).map_err(told)?;
        }
        let mut events = inotify.into_event_stream([0; BUFFER])?;
        let identity = self.clone();
        Ok(async move {
            // What happened between the first reading and this moment is seen now.
            identity.take_up().await;
            loop {
                let event = tokio::select! {
                    () = stop.cancelled() => return,
                    event = events.next() => event,
                };
                let ended = match event {
                    Some(Ok(_)) => None,
                    Some(Err(error)) => Some(error.to_string()),
                    None => Some("the watch has ended".to_owned()),
                };
                if let Some(error) = ended {
                    tracing::error!(
                        error,
                        "the files of the certificate are not watched any more; restart after a change"
                    );
                    return;
                }
                let settling = async { while tokio::time::timeout(QUIET, events.next()).await.is_ok() {} };
                // Either way it is looked at now.
                let _ = tokio::time::timeout(AT_MOST, settling).await;
                identity.take_up().await;
            }
        })
    }

    /// Looks at the files, and says what came of it.
    async fn take_up(&self) {
        let reading = self.clone();
        match tokio::task::spawn_blocking(move || reading.reload()).await {
            Ok(Ok(true)) => {
                let until = self.validity().to.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                tracing::info!(id = %self.id(), until, "a new certificate is in force");
            }
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::error!(%error, "the new certificate is of no use; the old one stays in force"),
            Err(error) => tracing::error!(%error, "the new certificate could not be read"),
        }
    }
}
