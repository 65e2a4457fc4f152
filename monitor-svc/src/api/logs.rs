//! Reading logs: selectors in, bytes out. Refusals say which selector and why.

use super::{fault, selectors, stopping, stream_from_wire};
use crate::driver::{Driver, LogFrames, ReadRefused};
use futures::stream::{self, BoxStream, StreamExt as _};
use monitor_domain::tails::{Outputs, Picked, Wish};
use pm_proto::convert::timestamp_from_wire;
use pm_proto::error::{invalid, reason, status};
use pm_proto::v1;
use pm_proto::v1::log_service_server::LogService;
use process_model::spec::Fault;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

#[derive(Debug)]
pub(crate) struct LogsApi {
    driver: Arc<Driver>,
    shutdown: CancellationToken,
}

impl LogsApi {
    pub(crate) fn new(driver: Arc<Driver>, shutdown: CancellationToken) -> Self {
        Self { driver, shutdown }
    }
}

#[tonic::async_trait]
impl LogService for LogsApi {
    type ReadLogsStream = BoxStream<'static, Result<v1::ReadLogsResponse, Status>>;

    async fn read_logs(&self, request: Request<v1::ReadLogsRequest>) -> Result<Response<Self::ReadLogsStream>, Status> {
        let request = request.into_inner();
        let selectors = selectors(&request.selectors)?;
        if selectors.is_empty() {
            return Err(fault("selectors", "is empty", "name at least one process, instance or pattern"));
        }
        let outputs = stream_from_wire("stream", request.stream)?.map_or(Outputs::BOTH, Outputs::only);
        let (last_lines, follow) = (request.tail, request.follow);
        let wish = Wish { outputs, last_lines, follow, picked: picked(request)?.map(Arc::new) };
        let frames = self.driver.read_logs(&selectors, wish).map_err(refused)?;
        Ok(Response::new(responses(frames, self.shutdown.clone()).boxed()))
    }
}

/// Longest pattern: what a person writes, and not what costs the nodes memory.
const LONGEST_PATTERN: usize = 4096;

/// What is wanted beside, checked; `None`: nothing.
fn picked(request: v1::ReadLogsRequest) -> Result<Option<Picked>, Status> {
    let mut faults = Vec::new();
    let time = |field: &'static str, time: Option<&prost_types::Timestamp>| match time {
        None => Ok(None),
        Some(time) => timestamp_from_wire(field, time).map(Some),
    };
    let picked = Picked {
        since: time("since", request.since.as_ref())?,
        until: time("until", request.until.as_ref())?,
        grep: request.grep,
        previous: request.previous,
        cursors: request.cursors,
        timestamps: request.timestamps,
    };
    let mut fault = |field: &str, problem: String, fix: &str| faults.push(Fault::new(field, problem, fix));
    if picked.grep.len() > LONGEST_PATTERN {
        fault("grep", format!("is longer than {LONGEST_PATTERN} bytes"), "write a shorter pattern");
    } else if let Err(error) = regex::bytes::Regex::new(&picked.grep) {
        fault("grep", format!("is no regular expression: {error}"), "escape characters that mean themselves");
    }
    if request.follow && picked.until.is_some() {
        fault("until", "does not go with follow".to_owned(), "leave one of them out");
    }
    if request.follow && picked.previous {
        fault("previous", "does not go with follow: that run has ended".to_owned(), "leave one of them out");
    }
    if let (Some(since), Some(until)) = (picked.since, picked.until)
        && until < since
    {
        fault("until", "is before since".to_owned(), "exchange them");
    }
    if let Some(cursor) = picked.cursors.iter().find(|cursor| cursor.split('/').count() != 3) {
        fault("cursors", format!("{cursor:?} is none"), "send what LogChunk.cursor was");
    }
    if faults.is_empty() { Ok((picked != Picked::default()).then_some(picked)) } else { Err(invalid(&faults)) }
}

/// The stream of one call. Dropped when the client is gone, and the frames
/// with it, which cancels the read at its runners.
fn responses(
    frames: LogFrames,
    shutdown: CancellationToken,
) -> impl futures::Stream<Item = Result<v1::ReadLogsResponse, Status>> {
    stream::unfold(Some((frames, shutdown)), |call| async move {
        let (frames, shutdown) = call?;
        let frame = tokio::select! {
            frame = frames.next() => frame?,
            () = shutdown.cancelled() => return Some((Err(stopping()), None)),
        };
        Some((Ok(v1::ReadLogsResponse { frame: Some(frame) }), Some((frames, shutdown))))
    })
}

fn refused(why: ReadRefused) -> Status {
    match why {
        ReadRefused::Unmatched(unmatched, None) => {
            let selector = unmatched.selector.as_str();
            status(Code::NotFound, reason::NOT_FOUND, unmatched.to_string(), &[("selector", selector)])
        }
        ReadRefused::Unmatched(unmatched, Some(node)) => {
            let selector = unmatched.selector.as_str();
            let message = format!("the logs of {selector} were last on node {node}, which does not offer them now");
            let metadata = [("selector", selector), ("node", node.as_str())];
            status(Code::NotFound, reason::LOGS_UNREACHABLE, message, &metadata)
        }
        ReadRefused::TooMany(why) => {
            status(Code::ResourceExhausted, reason::TOO_MANY_READERS, format!("{why}; try again later"), &[])
        }
    }
}
