//! One watcher: a position in the kept events that moves as fast as its client
//! reads. Nothing is buffered for it, so a slow watcher costs nothing; it is
//! cut once the events that it has not seen are no longer kept.

use super::status::{bad_field, closing};
use crate::core::Core;
use futures::Stream;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::watch_events_response::Frame;
use process_model::{Event, Selector};
use registry_domain::State;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

/// An idle watcher hears how far it has seen at least this often.
const PROGRESS: Duration = Duration::from_secs(15);
/// Events taken out at a time: the state is held for that long.
const CHUNK: usize = 128;

/// The stream of a watcher.
pub(super) type Frames = Pin<Box<dyn Stream<Item = Result<v1::WatchEventsResponse, Status>> + Send>>;

/// One watcher.
pub(super) struct Watch {
    registry: Arc<Core>,
    shutdown: CancellationToken,
    revisions: watch::Receiver<u64>,
    filter: Filter,
    follow: bool,
    /// The first revision that has not been looked at.
    next: u64,
    /// Where a watcher that does not follow ends.
    last: u64,
    ready: VecDeque<v1::WatchEventsResponse>,
    progress_due: Instant,
}

pub(super) struct Filter {
    pub(super) selectors: Vec<Selector>,
    pub(super) types: Vec<Selector>,
}

impl Filter {
    pub(super) fn lets_through(&self, event: &Event) -> bool {
        let by_type = self.types.is_empty() || self.types.iter().any(|t| t.matches(&event.kind));
        let selected = |s: &Selector| match (&event.instance, &event.process) {
            (Some(id), _) => s.selects_instance(id),
            (None, Some(process)) => s.matches(process.as_str()),
            (None, None) => false,
        };
        by_type && (self.selectors.is_empty() || self.selectors.iter().any(selected))
    }
}

impl Watch {
    /// Where the watcher begins.
    pub(super) fn begin(
        registry: Arc<Core>,
        shutdown: CancellationToken,
        request: v1::WatchEventsRequest,
    ) -> Result<Self, Status> {
        // Before the state is looked at, so that no change falls between.
        let revisions = registry.view.revisions();
        let selectors = |texts: Vec<String>| texts.into_iter().map(Selector::new).collect();
        let filter = Filter { selectors: selectors(request.selectors), types: selectors(request.types) };
        let (next, last) = {
            let machine = registry.view.read();
            (first(&machine.state, &filter, request.from_revision, request.tail)?, machine.state.revision())
        };
        registry.numbers.watchers.inc();
        let mut watch = Self {
            follow: request.follow,
            progress_due: Instant::now() + PROGRESS,
            ready: VecDeque::new(),
            registry,
            shutdown,
            revisions,
            filter,
            next,
            last,
        };
        if watch.follow && request.from_revision == 0 && request.tail == 0 {
            // Tells a watcher who asked for "from now on" what now is.
            watch.push_progress();
        }
        Ok(watch)
    }

    /// The watcher as a stream: each poll looks for as much as is read.
    pub(super) fn frames(self) -> Frames {
        Box::pin(futures::stream::try_unfold(self, |mut watch| async move {
            Ok(watch.frame().await?.map(|frame| (frame, watch)))
        }))
    }

    async fn frame(&mut self) -> Result<Option<v1::WatchEventsResponse>, Status> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            if self.take_chunk()? {
                continue;
            }
            if !self.follow {
                return Ok(None);
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return Err(closing()),
                () = self.registry.stopped().cancelled() => return Err(closing()),
                () = sleep_until(self.progress_due) => self.push_progress(),
                changed = self.revisions.changed() => if changed.is_err() { return Err(closing()) },
            }
        }
    }

    /// Moves on by one chunk; `false` when everything has been looked at.
    fn take_chunk(&mut self) -> Result<bool, Status> {
        self.revisions.mark_unchanged();
        let machine = self.registry.view.read();
        let state = &machine.state;
        let end = if self.follow { state.revision() } else { self.last };
        if self.next > end {
            return Ok(false);
        }
        if self.next < state.oldest_revision() {
            return Err(too_slow(self.next, state));
        }
        for (revision, event) in state.events().range(self.next..=end).take(CHUNK) {
            self.next = revision + 1;
            if self.filter.lets_through(event) {
                self.ready.push_back(v1::WatchEventsResponse { frame: Some(Frame::Event((&**event).into())) });
            }
        }
        if !self.ready.is_empty() {
            self.progress_due = Instant::now() + PROGRESS;
        }
        Ok(true)
    }

    fn push_progress(&mut self) {
        let progress = v1::WatchProgress { revision: self.next - 1 };
        self.ready.push_back(v1::WatchEventsResponse { frame: Some(Frame::Progress(progress)) });
        self.progress_due = Instant::now() + PROGRESS;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.registry.numbers.watchers.dec();
    }
}

fn first(state: &State, filter: &Filter, from_revision: u64, tail: u32) -> Result<u64, Status> {
    match (from_revision, tail) {
        (0, 0) => Ok(state.revision() + 1),
        (0, tail) => {
            let newest = state.events().values().rev().filter(|event| filter.lets_through(event));
            Ok(newest.take(tail as usize).last().map_or(state.revision() + 1, |event| event.revision))
        }
        (from, 0) if from < state.oldest_revision() => Err(compacted(from, state)),
        (from, 0) => Ok(from),
        (_, _) => Err(bad_field("tail", "it does not go together with from_revision", "set one of the two")),
    }
}

fn compacted(from: u64, state: &State) -> Status {
    let oldest = state.oldest_revision();
    let text = format!(
        "revision {from} is no longer kept, the oldest is {oldest}; list what there is and watch from its revision on"
    );
    status(Code::OutOfRange, reason::REVISION_COMPACTED, text, &[("oldest", &oldest.to_string())])
}

fn too_slow(next: u64, state: &State) -> Status {
    let oldest = state.oldest_revision();
    let text = format!("the watcher was at revision {next} when only {oldest} and later were kept; read faster");
    let data = [("next", next.to_string()), ("oldest", oldest.to_string())];
    let data: Vec<(&str, &str)> = data.iter().map(|(k, v)| (*k, v.as_str())).collect();
    status(Code::ResourceExhausted, reason::WATCHER_TOO_SLOW, text, &data)
}

#[cfg(test)]
mod tests;
