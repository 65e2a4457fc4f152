//! The stream of log frames over breaks: one that is followed is taken up
//! again behind what was shown last of each output, so that nothing is missed
//! and nothing comes twice.

use crate::connection::Connection;
use crate::error::Failure;
use pm_proto::error::{reason, reason_of};
use pm_proto::v1::read_logs_response::Frame;
use pm_proto::v1::{LogEnd, ReadLogsRequest, ReadLogsResponse};
use std::collections::BTreeMap;
use std::time::Duration;
use tonic::{Code, Status, Streaming};

/// First pause before a stream is taken up again; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// So often in a row a file that ends with an error is tried again.
const TRIES: u32 = 5;

/// Places in logs.
pub(super) struct Reading {
    connection: Connection,
    request: ReadLogsRequest,
    what: String,
    stream: Option<Streaming<ReadLogsResponse>>,
    /// The last cursor of each output.
    places: BTreeMap<String, String>,
    /// Whether anything ever came: who was never there is not waited for.
    established: bool,
    pause: Duration,
    /// Ends with an error since the last chunk.
    fruitless: u32,
    told: bool,
}

/// What comes.
#[derive(Debug)]
pub(super) enum Read {
    /// A frame of the stream.
    Frame(Frame),
    /// The stream broke, for this reason; it is being taken up again.
    Lost(String),
    /// Nothing more comes.
    Over,
}

impl Reading {
    /// Reads as the request says; `what` names it in errors.
    #[must_use]
    pub(super) fn new(connection: Connection, request: ReadLogsRequest, what: String) -> Self {
        let (stream, places) = (None, BTreeMap::new());
        let (established, pause, fruitless, told) = (false, Duration::ZERO, 0, false);
        Self { connection, request, what, stream, places, established, pause, fruitless, told }
    }

    /// What comes next.
    ///
    /// # Errors
    /// The server refuses, or the connection is lost and nothing is followed.
    pub(super) async fn next(&mut self) -> Result<Read, Failure> {
        loop {
            if self.stream.is_none() {
                tokio::time::sleep(self.pause).await;
                self.request.cursors = self.places.values().cloned().collect();
                match self.connection.logs().read_logs(self.request.clone()).await {
                    Ok(response) => {
                        self.established = true;
                        self.stream = Some(response.into_inner());
                    }
                    Err(status) => match self.lost(&status)? {
                        Some(told) => return Ok(told),
                        None => continue,
                    },
                }
            }
            let Some(stream) = &mut self.stream else { continue };
            let status = match stream.message().await {
                Ok(Some(ReadLogsResponse { frame: Some(frame) })) => match self.frame(frame) {
                    Some(read) => return Ok(read),
                    None => continue,
                },
                // A frame of a newer server that means nothing to us.
                Ok(Some(ReadLogsResponse { frame: None })) => continue,
                Ok(None) => return Ok(Read::Over),
                Err(status) => status,
            };
            if let Some(told) = self.lost(&status)? {
                return Ok(told);
            }
        }
    }

    /// `None`: an end that is none, since the file is taken up again.
    fn frame(&mut self, frame: Frame) -> Option<Read> {
        match &frame {
            Frame::Chunk(chunk) => {
                (self.pause, self.fruitless, self.told) = (Duration::ZERO, 0, false);
                if let Some((output, _)) = chunk.cursor.rsplit_once('/') {
                    self.places.insert(output.to_owned(), chunk.cursor.clone());
                }
            }
            // Most often its node, which comes back: all the others wait for it, and miss nothing.
            Frame::End(LogEnd { error, .. }) if !error.is_empty() && self.request.follow && self.fruitless < TRIES => {
                self.fruitless += 1;
                return self.again(error.clone());
            }
            Frame::End(_) => {}
        }
        Some(Read::Frame(frame))
    }

    fn lost(&mut self, status: &Status) -> Result<Option<Read>, Failure> {
        let failure = self.connection.refused(&self.what, status);
        let transient = match reason_of(status).as_deref() {
            Some(reason::BACKEND_UNAVAILABLE | reason::SHUTTING_DOWN | reason::LOGS_UNREACHABLE) => true,
            // Right after its start the monitor knows nobody.
            Some(reason::NOT_FOUND) => self.established,
            Some(_) => false,
            None => matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal),
        };
        if !(transient && self.established && self.request.follow) {
            return Err(failure);
        }
        Ok(self.again(failure.summary().to_owned()))
    }

    fn again(&mut self, why: String) -> Option<Read> {
        self.stream = None;
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        (!std::mem::replace(&mut self.told, true)).then_some(Read::Lost(why))
    }
}
