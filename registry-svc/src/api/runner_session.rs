//! Sessions of runners: a node says who it is, is told what to run, and says
//! what happened.
//!
//! ```text
//! runner                             registry
//!   hello ───────────────────────────▶ node.ready, if it was not
//!   ◀──────────────────────── welcome
//!   ◀─────────────── assignments, all
//!   ◀──────── actions that are not over
//!   heartbeat ─▶ lease, majority, ack  … then, as it changes:
//!   report ─▶ commit, ack              assignments that differ, actions
//! ```

mod beats;
mod inbox;
mod introduction;
mod neighbours;
mod orders;
mod session;

use super::status::{bad_field, come_again, not_proposed, refused};
use crate::core::Core;
use crate::heartbeats::{Pace, now};
use crate::office::Office;
use futures::{Stream, TryStreamExt as _};
use introduction::Introduction;
use pm_proto::convert::duration_to_wire;
use pm_proto::v1;
use pm_proto::v1::run_session_request::Message;
use pm_proto::v1::run_session_response::Message as Answer;
use pm_proto::v1::runner_session_service_server::RunnerSessionService;
use process_model::NodeName;
use registry_domain::NodeState;
use service_host::identity::Caller;
use session::Session;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming};

/// Messages between the session and the connection. Few: what waits longer
/// waits in the session, where assignments that change again are merged.
const OUTGOING: usize = 16;
/// Who opens a session and says nothing is not kept.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// The level from which on it is written down whether a runner ends singletons by itself.
const FENCES: u16 = 3;

pub(super) struct Api {
    pub(super) registry: Arc<Core>,
    pub(super) shutdown: CancellationToken,
}

#[tonic::async_trait]
impl RunnerSessionService for Api {
    type RunSessionStream = ReceiverStream<Result<v1::RunSessionResponse, Status>>;

    async fn run_session(
        &self,
        request: Request<Streaming<v1::RunSessionRequest>>,
    ) -> Result<Response<Self::RunSessionStream>, Status> {
        let caller = Caller::of(&request);
        let source = request.remote_addr().map(|address| address.to_string()).unwrap_or_default();
        let office = self.registry.office.clone();
        let told = receive(office, &caller, request.into_inner(), self.shutdown.clone()).await;
        if told.as_ref().is_err_and(|status| status.code() == Code::PermissionDenied) {
            self.registry.refusals.note_about(&caller.actor(), &source, "pm.v1.RunnerSessionService/RunSession", &[]);
        }
        Ok(Response::new(told?))
    }
}

/// Hears a runner out until it has said who it is; then the conversation
/// begins, on whatever connection.
pub(crate) async fn receive<S>(
    registry: Arc<Office>,
    caller: &Caller,
    mut incoming: S,
    shutdown: CancellationToken,
) -> Result<ReceiverStream<Result<v1::RunSessionResponse, Status>>, Status>
where
    S: Stream<Item = Result<v1::RunSessionRequest, Status>> + Send + Unpin + 'static,
{
    let first = tokio::time::timeout(HELLO_WITHIN, incoming.try_next()).await;
    let Ok(Some(v1::RunSessionRequest { message: Some(Message::Hello(hello)) })) = first.unwrap_or(Ok(None)) else {
        return Err(bad_field("hello", "the first message is missing or another one", "send hello first"));
    };
    // Replicas of the version before would not know that it fences.
    let fences = registry.view.read().state.meta().level() >= FENCES;
    let hello = Introduction::read(hello, fences)?;
    let node = hello.node().clone();
    caller.must_be_node(node.as_str())?;
    // Only the leader grants leases; a follower refuses here, and names it.
    if !registry.consensus.standing().borrow().leads() {
        return Err(not_proposed(&registry.no_leader()));
    }
    // Nothing was done for it yet: sending it away costs next to nothing.
    registry.admission.admit(now()).map_err(|wait| {
        registry.numbers.sent_away.inc();
        come_again(wait)
    })?;
    registry.numbers.received.inc();
    registry.read_barrier(false).await?;
    let pace = registry.leases.pace();
    registry.leases.renew(&node, pace.lease);
    let welcome = welcome(&registry, pace)?;
    let place = registry.sessions.begin(&node);
    announce(&registry, &hello, welcome.1.term).await?;
    tracing::info!(%node, version = hello.version(), "a runner connected");
    let (outgoing, stream) = mpsc::channel(OUTGOING);
    let session = Session::new(registry, hello, place, outgoing, welcome);
    tokio::spawn(session.run(incoming, shutdown));
    Ok(ReceiverStream::new(stream))
}

/// Makes the node ready, unless it is so already.
async fn announce(registry: &Office, hello: &Introduction, term: u64) -> Result<(), Status> {
    let order = {
        let machine = registry.view.read();
        if hello.is_known(&machine.state) {
            return Ok(());
        }
        hello.order(&machine.state)
    };
    let command = registry.driver.noted(&format!("node:{}", hello.node()), order);
    let pending = registry.driver.submit_as_leader(term, command, 0).await.map_err(|error| not_proposed(&error))?;
    match pending.answer().await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(refusal)) => Err(refused(&refusal)),
        Err(error) => Err(not_proposed(&error)),
    }
}

/// The node was declared lost: what it has may be placed elsewhere at any
/// moment, so it has to be told anew what belongs on it.
fn is_lost(registry: &Office, node: &NodeName) -> bool {
    let machine = registry.view.read();
    machine.state.nodes().get(node).is_some_and(|node| node.state == NodeState::Lost)
}

/// What a welcome said.
#[derive(Debug, Clone, Copy)]
struct Said {
    /// The cluster's epoch: in another one the node has to be welcomed anew.
    epoch: u64,
    /// In which this replica leads.
    term: u64,
    /// The node was asked what it has, and is told nothing.
    observes: bool,
    /// How often it is to be heard.
    pace: Pace,
}

/// The welcome, and the term in which it is said: the one in which this replica
/// leads, seen at one moment. Read later, it could be that of a successor.
fn welcome(registry: &Office, pace: Pace) -> Result<(v1::RunSessionResponse, Said), Status> {
    let (term, members) = {
        let standing = registry.consensus.standing();
        let standing = standing.borrow();
        if !standing.leads() {
            return Err(not_proposed(&registry.no_leader()));
        }
        (standing.term, standing.members.all())
    };
    let addresses = members.into_iter().map(|id| registry.address_of(id));
    let (cluster_id, said) = {
        let replicated = registry.view.read();
        let meta = replicated.state.meta();
        // A runner keeps what it is told first: of the first leader, before it has written the name down, that is no
        // empty one.
        let cluster_id = if meta.cluster_id.is_empty() { registry.cluster.clone() } else { meta.cluster_id.clone() };
        (cluster_id, Said { epoch: registry.epoch_of(meta), term, observes: !meta.mode.acts(), pace })
    };
    let welcome = v1::SessionWelcome {
        heartbeat_interval: Some(duration_to_wire(pace.interval)),
        lease: Some(duration_to_wire(pace.lease)),
        cluster_id,
        epoch: said.epoch,
        term,
        observe: said.observes,
        // One that is embedded has none.
        registries: addresses.filter(|address| !address.is_empty()).collect(),
    };
    Ok((v1::RunSessionResponse { message: Some(Answer::Welcome(welcome)) }, said))
}
