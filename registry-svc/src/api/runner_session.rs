//! Sessions of runners: a node says who it is, is told what to run, and says
//! what happened.
//!
//! ```text
//! runner                             registry
//!   hello ───────────────────────────▶ node.ready, if it was not
//!   ◀──────────────────────── welcome
//!   ◀─────────────── assignments, all
//!   ◀──────── actions that are not over
//!   heartbeat ─▶ lease, ack            … then, as it changes:
//!   report ─▶ commit, ack              assignments that differ, actions
//! ```

mod inbox;
mod orders;
mod session;

use super::status::{bad_field, not_proposed, refused};
use crate::core::Core;
use crate::office::Office;
use futures::{Stream, TryStreamExt as _};
use pm_proto::convert::duration_to_wire;
use pm_proto::v1;
use pm_proto::v1::run_session_request::Message;
use pm_proto::v1::run_session_response::Message as Answer;
use pm_proto::v1::runner_session_service_server::RunnerSessionService;
use registry_domain::{NodeHello, Order};
use session::Session;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Messages between the session and the connection. Few: what waits longer
/// waits in the session, where assignments that change again are merged.
const OUTGOING: usize = 16;
/// Longest text of a hello.
const HELLO_BYTES: usize = 256;
/// Who opens a session and says nothing is not kept.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

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
        let told = receive(self.registry.office.clone(), request.into_inner(), self.shutdown.clone()).await?;
        Ok(Response::new(told))
    }
}

/// Hears a runner out until it has said who it is; then the conversation
/// begins, on whatever connection.
pub(crate) async fn receive<S>(
    registry: Arc<Office>,
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
    let hello = hello_from_wire(hello)?;
    let node = hello.node.clone();
    // Only the leader grants leases; a follower refuses here, and names it.
    if !registry.consensus.standing().borrow().leads() {
        return Err(not_proposed(&registry.no_leader()));
    }
    registry.read_barrier(false).await?;
    registry.leases.renew(&node);
    let welcome = welcome(&registry)?;
    let place = registry.sessions.begin(&node);
    announce(&registry, &hello).await?;
    tracing::info!(%node, version = hello.runner_version, "a runner connected");
    let (outgoing, stream) = mpsc::channel(OUTGOING);
    let session = Session::new(registry, hello, place, outgoing, welcome);
    tokio::spawn(session.run(incoming, shutdown));
    Ok(ReceiverStream::new(stream))
}

/// Makes the node ready, unless it is so already.
async fn announce(registry: &Office, hello: &NodeHello) -> Result<(), Status> {
    if is_announced(registry, hello) {
        return Ok(());
    }
    let actor = format!("node:{}", hello.node);
    match registry.driver.note(&actor, Order::NodeConnected(hello.clone())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(refusal)) => Err(refused(&refusal)),
        Err(error) => Err(not_proposed(&error)),
    }
}

fn is_announced(registry: &Office, hello: &NodeHello) -> bool {
    let machine = registry.view.read();
    let state = &machine.state;
    state.is_ready(&hello.node)
        && state.nodes().get(&hello.node).is_some_and(|node| {
            node.boot_id == hello.boot_id
                && node.runner_version == hello.runner_version
                && node.cpus == hello.cpus
                && node.memory_bytes == hello.memory_bytes
        })
}

fn hello_from_wire(hello: v1::SessionHello) -> Result<NodeHello, Status> {
    let node = hello
        .node
        .parse()
        .map_err(|error: process_model::InvalidName| bad_field("hello.node", error.to_string(), "send a valid name"))?;
    super::request::check_text("hello.boot_id", &hello.boot_id, HELLO_BYTES)?;
    super::request::check_text("hello.runner_version", &hello.runner_version, HELLO_BYTES)?;
    Ok(NodeHello {
        node,
        boot_id: hello.boot_id,
        runner_version: hello.runner_version,
        cpus: hello.cpus,
        memory_bytes: hello.memory_bytes,
    })
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
}

/// The welcome, and the term in which it is said: the one in which this replica
/// leads, seen at one moment. Read later, it could be that of a successor.
fn welcome(registry: &Office) -> Result<(v1::RunSessionResponse, Said), Status> {
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
        (cluster_id, Said { epoch: registry.epoch_of(meta), term, observes: !meta.mode.acts() })
    };
    let welcome = v1::SessionWelcome {
        heartbeat_interval: Some(duration_to_wire(registry.heartbeat_interval)),
        lease: Some(duration_to_wire(registry.lease)),
        cluster_id,
        epoch: said.epoch,
        term,
        observe: said.observes,
        // One that is embedded has none.
        registries: addresses.filter(|address| !address.is_empty()).collect(),
    };
    Ok((v1::RunSessionResponse { message: Some(Answer::Welcome(welcome)) }, said))
}
