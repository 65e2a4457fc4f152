//! One watcher: a position in the events that moves as fast as its client
//! reads. Nothing is buffered for it, so a slow watcher costs nothing; it is
//! cut once the events that it has not seen are no longer kept. It is woken for
//! what concerns it, and takes frames that are encoded for everybody.
//!
//! | module | what |
//! |---|---|
//! | here | the position |
//! | [`begin`] | where it begins, and who is refused |
//! | `filter` | what is shown, and what the watcher is woken for |
//! | `snapshot` | what there is, before what happens |
//! | `frames` | messages as bytes |
//! | `service` | the service around it, which sends bytes |
//! | `tending` | what all watchers need: their router, and their end when the replica is cut off |

mod begin;
mod filter;
mod frames;
mod service;
mod snapshot;
mod tending;

pub(super) use filter::Filter;
pub(super) use service::Service;
pub(crate) use snapshot::Rosters;
pub(crate) use tending::{Isolation, tend};

use super::status::closing;
use crate::core::Core;
use crate::machine::feed::{Listener, Since};
use begin::{cut_off, too_slow};
use bytes::Bytes;
use futures::Stream;
use pm_proto::v1;
use pm_proto::v1::watch_events_response::Frame;
use registry_domain::State;
use snapshot::Items;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// An idle watcher hears how far it has seen at least this often.
const PROGRESS: Duration = Duration::from_secs(15);
/// Events taken out at a time: feed or state is held for that long.
const CHUNK: usize = 128;

/// The stream of a watcher.
pub(super) type Frames = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// One watcher.
pub(super) struct Watch {
    core: Arc<Core>,
    shutdown: CancellationToken,
    isolation: Isolation,
    filter: Filter,
    /// `None`: it ends with what is stored.
    listener: Option<Listener>,
    /// What there is, as far as it has not been shown.
    items: Option<Items>,
    /// The first revision that has not been looked at.
    next: u64,
    /// Where a watcher that does not follow ends.
    last: u64,
    /// There may be more to look at.
    behind: bool,
    ready: VecDeque<Bytes>,
    progress_due: Instant,
}

impl Watch {
    /// The watcher as a stream: each poll looks for as much as is read.
    pub(super) fn frames(self) -> Frames {
        Box::pin(futures::stream::try_unfold(self, |mut watch| async move {
            Ok(watch.frame().await?.map(|frame| (frame, watch)))
        }))
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            // Looking through thousands of events that are filtered out must not keep others waiting.
            tokio::task::consume_budget().await;
            if self.take_items()? || self.take_chunk()? {
                continue;
            }
            let Some(listener) = &self.listener else { return Ok(None) };
            tokio::select! {
                () = self.shutdown.cancelled() => return Err(closing()),
                () = self.core.stopped().cancelled() => return Err(closing()),
                () = self.isolation.began() => return Err(cut_off()),
                () = listener.rung() => self.listen(),
                () = sleep_until(self.progress_due) => self.progress(),
            }
        }
    }

    /// Cuts who is so slow that what comes next is not kept any more.
    fn keeps_up(&self, state: &State) -> Result<(), Status> {
        if self.next >= state.oldest_revision() {
            return Ok(());
        }
        self.core.numbers.watchers_cut.inc();
        Err(too_slow(self.next, state))
    }

    /// Moves on in the snapshot; `false`: it has been shown, or none is wanted.
    fn take_items(&mut self) -> Result<bool, Status> {
        if self.items.is_some() {
            // Who reads a snapshot so slowly could not go on after it.
            self.keeps_up(&self.core.view.read().state)?;
        }
        let Some(items) = &mut self.items else { return Ok(false) };
        if !items.take(&self.filter, &mut self.ready) {
            self.items = None;
            let end = v1::WatchSnapshotEnd { revision: self.next - 1 };
            self.push(Frame::SnapshotEnd(end));
        }
        Ok(true)
    }

    /// Moves on by one chunk; `false` when everything has been looked at.
    fn take_chunk(&mut self) -> Result<bool, Status> {
        if !self.behind {
            return Ok(false);
        }
        let since = match self.listener {
            Some(_) => self.core.view.feed().since(self.next, CHUNK),
            // The state is as far as `last` says; the feed follows at once, but behind it.
            None => Since::Older { newest: self.last },
        };
        match since {
            Since::Events(told) => {
                let encoded = &self.core.view.feed().encoded;
                for told in told {
                    self.next = told.event.revision + 1;
                    if self.filter.lets_through(&told.event) {
                        self.ready.push_back(told.frame(|event| {
                            encoded.inc();
                            frames::event(event)
                        }));
                    }
                }
            }
            Since::Nothing => self.behind = false,
            Since::Older { newest } => self.take_older(newest)?,
        }
        if !self.ready.is_empty() {
            self.progress_due = Instant::now() + PROGRESS;
        }
        Ok(self.behind)
    }

    /// A chunk of events that only the state still has.
    fn take_older(&mut self, newest: u64) -> Result<(), Status> {
        let machine = self.core.view.read();
        let state = &machine.state;
        if self.next > newest {
            self.behind = false;
            return Ok(());
        }
        self.keeps_up(state)?;
        for (revision, event) in state.events().range(self.next..=newest).take(CHUNK) {
            self.next = revision + 1;
            if self.filter.lets_through(event) {
                self.ready.push_back(frames::event(event));
            }
        }
        Ok(())
    }

    /// Something may concern this watcher: nothing before that revision does.
    fn listen(&mut self) {
        if let Some(revision) = self.listener.as_ref().and_then(Listener::take) {
            self.next = self.next.max(revision);
            self.behind = true;
        }
    }

    /// Says how far the watcher has seen; up to where events were told it has
    /// seen everything that concerns it.
    fn progress(&mut self) {
        let routed = self.core.view.feed().routed();
        self.listen();
        if self.behind {
            return;
        }
        self.next = self.next.max(routed + 1);
        self.push_progress();
    }

    fn push_progress(&mut self) {
        self.push(Frame::Progress(v1::WatchProgress { revision: self.next - 1 }));
        self.progress_due = Instant::now() + PROGRESS;
    }

    fn push(&mut self, frame: Frame) {
        self.ready.push_back(frames::encode(frame));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.core.numbers.watchers.dec();
    }
}

#[cfg(test)]
mod tests;
