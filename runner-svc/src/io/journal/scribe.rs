//! The journal's slow work, on a thread of its own: syncs and rewritings must
//! not hold up the runtime's workers. One sync serves everything that was
//! appended before it, be it one record or a thousand.

use super::file::Due;
use super::{Inner, lock};
use crate::clock;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Time between tries to rewrite on a disk that says no.
const RETRY: Duration = Duration::from_secs(1);

/// Starts the thread of a journal. It ends when every sender has been dropped.
pub(super) fn start(inner: Arc<Mutex<Inner>>) -> io::Result<SyncSender<()>> {
    // One: a wake-up that has not been heard yet is enough.
    let (wake, woken) = mpsc::sync_channel(1);
    // What a journal may owe since it was opened.
    let _ = wake.try_send(());
    std::thread::Builder::new().name("journal".into()).spawn(move || run(&inner, &woken))?;
    Ok(wake)
}

pub(super) fn run(inner: &Mutex<Inner>, woken: &mpsc::Receiver<()>) {
    // Until when there is no use in trying to rewrite.
    let mut pause: Option<Duration> = None;
    let mut told = false;
    loop {
        let heard = match pause {
            None => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(until) => woken.recv_timeout(until.saturating_sub(clock::monotonic())),
        };
        if pause.is_some_and(|until| until <= clock::monotonic()) {
            pause = None;
        }
        match tend(inner, pause.is_none()) {
            Ok(()) => told &= pause.is_some(),
            Err(error) => {
                pause = Some(clock::monotonic() + RETRY);
                // A disk may be full for days: that is not news each time.
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "cannot rewrite the journal; trying again each second");
                }
            }
        }
        if heard == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// Does whatever is due.
pub(super) fn tend(inner: &Mutex<Inner>, may_rewrite: bool) -> io::Result<()> {
    loop {
        let due = lock(inner).file.due(may_rewrite);
        match due {
            Due::Nothing => return Ok(()),
            Due::Sync(file) => {
                if let Err(error) = file.sync_data() {
                    tracing::error!(%error, "cannot sync the journal");
                    lock(inner).file.sync_failed();
                }
            }
            Due::Rewrite => rewrite(inner)?,
        }
    }
}

fn rewrite(inner: &Mutex<Inner>) -> io::Result<()> {
    let rewriting = {
        let Inner { file, image } = &mut *lock(inner);
        file.begin_rewriting(image)?
    };
    let written = rewriting.write();
    if lock(inner).file.end_rewriting(written)? {
        tracing::info!("the journal is whole again");
    }
    if let Err(error) = rewriting.sync_name() {
        // The file itself is safe, but after a power cut the old one could be there.
        tracing::warn!(%error, "cannot sync the journal's directory");
    }
    Ok(())
}
