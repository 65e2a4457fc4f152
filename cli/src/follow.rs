//! Following events over breaks: a stream that ends is taken up again after
//! the last revision that was seen, so nothing is missed and nothing comes
//! twice.

use crate::connection::Connection;
use crate::error::Failure;
use pm_proto::error::{reason, reason_of};
use pm_proto::v1::watch_events_response::Frame;
use pm_proto::v1::{Event, WatchEventsRequest, WatchEventsResponse};
use service_host::transport::roll;
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Status, Streaming};

/// Below this is the first pause before a stream is taken up again, as chance has it: all followers of a gateway lose it
/// in the same moment. Doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A position in the stream of events.
pub struct Follower {
    connection: Connection,
    request: WatchEventsRequest,
    stream: Option<Streaming<WatchEventsResponse>>,
    /// When to try again, and below what the pause before that was.
    broken: Option<(Instant, Duration)>,
    patient: bool,
    /// Whether the service was ever there: who was never there is not waited for.
    established: bool,
    /// Whether events that the registry has no more are done without.
    goes_on: bool,
}

/// What a follower has to tell.
#[derive(Debug)]
pub enum Followed {
    /// The next event.
    Event(Box<Event>),
    /// The connection was lost; it is being taken up again.
    Lost(Failure),
    /// Everything that is stored has been shown, and following was not wanted.
    End,
}

impl Follower {
    /// Follows as the request says. `patient`: a lost connection is taken up
    /// again for ever; else it is a failure.
    #[must_use]
    pub fn new(connection: Connection, request: WatchEventsRequest, patient: bool) -> Self {
        Self { connection, request, stream: None, broken: None, patient, established: false, goes_on: false }
    }

    /// For who only looks on: when the registry has let go of what comes next,
    /// or was restored to another state, it goes on from what happens then.
    #[must_use]
    pub fn going_on(mut self) -> Self {
        self.goes_on = true;
        self
    }

    /// The next event. Nothing is lost when this future is dropped halfway.
    ///
    /// # Errors
    /// The server refuses, or the connection is lost and this is not a patient
    /// follower.
    pub async fn next(&mut self) -> Result<Followed, Failure> {
        loop {
            if let (None, Some((due, _))) = (&self.stream, self.broken) {
                tokio::time::sleep_until(due).await;
            }
            let stream = match &mut self.stream {
                Some(stream) => stream,
                None => match self.connection.events().watch_events(self.request.clone()).await {
                    Ok(response) => {
                        self.established = true;
                        self.stream.insert(response.into_inner())
                    }
                    Err(status) => match self.lost(&status)? {
                        Some(told) => return Ok(told),
                        None => continue,
                    },
                },
            };
            let status = match stream.message().await {
                Ok(Some(WatchEventsResponse { frame: Some(Frame::Event(event)) })) => {
                    self.broken = None;
                    self.seen(event.revision);
                    return Ok(Followed::Event(Box::new(event)));
                }
                Ok(Some(WatchEventsResponse { frame: Some(Frame::Progress(progress)) })) => {
                    self.broken = None;
                    self.seen(progress.revision);
                    continue;
                }
                // Of a snapshot, which is not asked for; or of a newer server, and means nothing to us.
                Ok(Some(WatchEventsResponse {
                    frame: Some(Frame::Node(_) | Frame::Process(_) | Frame::Instance(_) | Frame::SnapshotEnd(_)) | None,
                })) => continue,
                Ok(None) if self.request.follow => Status::unavailable("the server ended the stream"),
                Ok(None) => return Ok(Followed::End),
                Err(status) => status,
            };
            if let Some(told) = self.lost(&status)? {
                return Ok(told);
            }
        }
    }

    fn seen(&mut self, revision: u64) {
        self.request.tail = 0;
        self.request.from_revision = self.request.from_revision.max(revision.saturating_add(1));
    }

    /// A stream that broke: taken up again if that can help, told once for
    /// all attempts.
    fn lost(&mut self, status: &Status) -> Result<Option<Followed>, Failure> {
        self.stream = None;
        let failure = self.connection.refused("follow events", status);
        let transient = match reason_of(status).as_deref() {
            Some(reason::WATCHER_TOO_SLOW | reason::NO_LEADER | reason::BACKEND_UNAVAILABLE) => true,
            Some(reason::REVISION_COMPACTED | reason::REVISION_FUTURE) if self.goes_on => {
                // From now on.
                self.request.from_revision = 0;
                true
            }
            Some(_) => false,
            None => matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal),
        };
        if !(transient && self.patient && self.established && self.request.follow) {
            return Err(failure);
        }
        let first = self.broken.is_none();
        let ceiling = self.broken.map_or(FIRST_PAUSE, |(_, ceiling)| (ceiling * 2).min(LONGEST_PAUSE));
        self.broken = Some((Instant::now() + ceiling.mul_f64(roll()), ceiling));
        Ok(first.then_some(Followed::Lost(failure)))
    }
}
