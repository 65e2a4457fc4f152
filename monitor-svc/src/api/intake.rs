//! The stream between a runner and the monitor: a task per session.
//!
//! It reads whatever comes without ever waiting for room to send: samples and
//! log chunks go into the core at once, and what is to be told to the runner
//! stays there until the stream takes it. So a runner that does not read
//! cannot stop its own samples, and readers of logs cannot stop anything.

use super::intake_messages::{self as messages, FromRunner};
use super::{fault, stopping};
use crate::driver::{Driver, Session};
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::monitor_intake_service_server::MonitorIntakeService;
use service_host::identity::Caller;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming};
use tracing::Instrument as _;

/// Messages between the session's task and its response stream. The real queue
/// is the core, which merges what is pending; this many only save a switch of
/// tasks per message when a read of many instances begins.
const OUTBOUND: usize = 16;

type Outbound = mpsc::Sender<Result<v1::RunIntakeResponse, Status>>;

#[derive(Debug)]
pub(crate) struct IntakeApi {
    driver: Arc<Driver>,
    shutdown: CancellationToken,
}

impl IntakeApi {
    pub(crate) fn new(driver: Arc<Driver>, shutdown: CancellationToken) -> Self {
        Self { driver, shutdown }
    }
}

#[tonic::async_trait]
impl MonitorIntakeService for IntakeApi {
    type RunIntakeStream = ReceiverStream<Result<v1::RunIntakeResponse, Status>>;

    async fn run_intake(
        &self,
        request: Request<Streaming<v1::RunIntakeRequest>>,
    ) -> Result<Response<Self::RunIntakeStream>, Status> {
        let (outbound, responses) = mpsc::channel(OUTBOUND);
        let (driver, shutdown) = (Arc::clone(&self.driver), self.shutdown.clone());
        let caller = Caller::of(&request);
        let inbound = request.into_inner();
        // The answer begins before the first message is read: a client may
        // wait for it before it says anything.
        let session = async move {
            if let Err(why) = serve(driver, &caller, inbound, &outbound, shutdown).await {
                // Room is there as soon as the runner reads, or the stream is gone.
                let _ = outbound.send(Err(why)).await;
            }
        };
        tokio::spawn(session.in_current_span());
        Ok(Response::new(ReceiverStream::new(responses)))
    }
}

async fn serve(
    driver: Arc<Driver>,
    caller: &Caller,
    mut inbound: Streaming<v1::RunIntakeRequest>,
    outbound: &Outbound,
    shutdown: CancellationToken,
) -> Result<(), Status> {
    let first = tokio::select! {
        first = inbound.message() => first?,
        () = outbound.closed() => None,
        () = shutdown.cancelled() => return Err(stopping()),
    };
    let node = match first.map(messages::from_wire).transpose()? {
        // Gone before it said who it is.
        None => return Ok(()),
        Some(FromRunner::Hello(node)) => node,
        Some(_) => return Err(fault("message", "is not hello", "send hello first")),
    };
    if let Err(refusal) = caller.must_be_node(node.as_str()) {
        tracing::warn!(caller = caller.actor(), %node, "a runner may not speak for another node");
        return Err(refusal);
    }
    let session = driver.connect(node);
    let node = session.node();
    tracing::info!(%node, "runner connected");
    let ended = talk(&session, &mut inbound, outbound, &shutdown).await;
    match &ended {
        Ok(()) => tracing::info!(%node, "runner disconnected"),
        Err(why) => tracing::warn!(%node, code = ?why.code(), error = why.message(), "runner's session ended"),
    }
    ended
}

async fn talk(
    session: &Session,
    inbound: &mut Streaming<v1::RunIntakeRequest>,
    outbound: &Outbound,
    shutdown: &CancellationToken,
) -> Result<(), Status> {
    let mut pending = true;
    loop {
        tokio::select! {
            message = inbound.message() => match message? {
                Some(message) => take(session, messages::from_wire(message)?)?,
                None => return Ok(()),
            },
            room = outbound.reserve(), if pending => match room {
                Ok(room) => match session.next() {
                    Some(told) => room.send(Ok(messages::to_wire(told))),
                    None => pending = false,
                },
                Err(_) => return Ok(()),
            },
            () = session.woken(), if !pending => pending = true,
            () = outbound.closed() => return Ok(()),
            () = session.replaced() => {
                let message = format!("a later session of node {} took over", session.node());
                let metadata = [("node", session.node().as_str())];
                return Err(status(Code::Aborted, reason::SESSION_REPLACED, message, &metadata));
            }
            () = shutdown.cancelled() => return Err(stopping()),
        }
    }
}

fn take(session: &Session, message: FromRunner) -> Result<(), Status> {
    match message {
        FromRunner::Hello(_) => {
            return Err(fault("hello", "came twice", "open another stream for another node"));
        }
        FromRunner::Inventory(has) => session.announce(has),
        FromRunner::Samples { instances, node } => {
            let mut nodes = instances.iter().map(|sample| &sample.node).chain(node.iter().map(|sample| &sample.node));
            if let Some(other) = nodes.find(|node| *node != session.node()) {
                let problem = format!("{other} is not {}, whose session this is", session.node());
                return Err(fault("samples.node", problem, "send only measurements of the own node"));
            }
            session.measure(&instances, node.as_ref());
        }
        FromRunner::Chunk { request, instance, output, chunk } => session.chunk(request, &instance, output, chunk),
        FromRunner::End { request, output, error } => session.end(request, output, &error),
        // A later runner may say what this monitor does not know of.
        FromRunner::Unknown => tracing::debug!(node = %session.node(), "unknown message from runner"),
    }
    Ok(())
}
