//! Reading logs: selectors in, bytes out. Refusals say which selector and why.

use super::{fault, selectors, stopping, stream_from_wire};
use crate::driver::{Driver, LogFrames, ReadRefused};
use futures::stream::{self, BoxStream, StreamExt as _};
use monitor_domain::tails::{Outputs, Wish};
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::log_service_server::LogService;
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
        let wish = Wish { outputs, last_lines: request.tail, follow: request.follow };
        let frames = self.driver.read_logs(&selectors, wish).map_err(refused)?;
        Ok(Response::new(responses(frames, self.shutdown.clone()).boxed()))
    }
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
