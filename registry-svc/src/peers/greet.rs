//! The beginning of a link, as the dialer does it: say who we are, hear who
//! is there, and be sure of it before a word of consensus is said.

use super::bounds::MAX_MESSAGE_BYTES;
use super::dial::{Connected, DialFault, connect};
use super::lane::Lane;
use super::shared::Shared;
use super::{Hello, Turned, registrar, wire};
use pm_proto::v1;
use pm_proto::v1::link_response::Body;
use pm_proto::v1::peer_service_client::PeerServiceClient;
use registry_consensus::ReplicaId;
use service_host::client::ServiceChannel;
use service_host::transport::AnyChannel;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;
use tonic::service::interceptor::InterceptedService;
use tonic::{Status, Streaming};

/// Calls over one connection.
pub(super) type Client = PeerServiceClient<ServiceChannel>;

/// A peer that is turned away is given this long to hear it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A link that stands.
pub(super) struct Greeted {
    /// What we say.
    pub(super) lane: Arc<Lane>,
    /// What is answered.
    pub(super) answers: Streaming<v1::LinkResponse>,
    /// For snapshots, over the same connection.
    pub(super) client: Client,
    /// For other calls over it.
    pub(super) channel: ServiceChannel,
    /// Who is there.
    pub(super) hello: Hello,
    /// Where.
    pub(super) address: String,
}

/// Dials one address of a peer and greets whoever is there.
pub(super) async fn dial(shared: &Shared, peer: ReplicaId, address: String) -> Result<Greeted, DialFault> {
    let Connected { channel, certificate } = connect(&address, &shared.credentials, &shared.timing).await?;
    let channel = InterceptedService::new(AnyChannel::One(channel), shared.context.clone());
    let client = PeerServiceClient::new(channel.clone())
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    match tokio::time::timeout(shared.timing.greet, greet(shared, peer, client, channel, address.clone(), certificate))
        .await
    {
        Ok(greeted) => greeted,
        Err(_) => {
            Err(DialFault::failed(&address, format_args!("no greeting within {} ms", shared.timing.greet.as_millis())))
        }
    }
}

async fn greet(
    shared: &Shared,
    peer: ReplicaId,
    mut client: Client,
    channel: ServiceChannel,
    address: String,
    certificate: Option<String>,
) -> Result<Greeted, DialFault> {
    let lane = Lane::new(peer, wire::hello_into(shared.hello(peer)), shared.stop.child_token());
    let ended = |status: Status| ended(&address, &status);
    let mut answers = client.link(lane.outgoing()).await.map_err(ended)?.into_inner();
    let first = answers.message().await.map_err(ended)?;
    let malformed = |what: &dyn std::fmt::Display| DialFault::failed(&address, format_args!("no greeting: {what}"));
    let Some(v1::LinkResponse { body: Some(Body::Welcome(welcome)), .. }) = first else {
        return Err(malformed(&"something else was answered"));
    };
    let hello = Hello { certificate, ..wire::hello_from(welcome.hello).map_err(|error| malformed(&error))? };
    let judged = registrar::judge(&shared.identity, &*shared.registrar, &hello, Some(peer));
    let refusal = welcome.refusal.map(wire::refusal_from);
    if let Some(refusal) = &refusal {
        shared.turned_away.by_dialled(shared, peer, &hello, refusal);
    }
    if let Err(turned) = &judged {
        shared.turned_away.we(&hello, turned);
        lane.refuse(wire::refusal_into(turned));
        let rest = async { while let Ok(Some(_)) = answers.message().await {} };
        // Whether it heard us is not ours to know.
        let _ = tokio::time::timeout(LAST_WORDS, rest).await;
    }
    match refusal.map_or(judged, Err) {
        Ok(()) => Ok(Greeted { lane, answers, client, channel, hello, address }),
        Err(Turned { why, .. }) => Err(DialFault::Turned { address, why }),
    }
}

/// A status that the other end sent, or the end of the connection in the
/// middle of it.
fn ended(address: &str, status: &Status) -> DialFault {
    let why = format!("{}: {}", status.code(), status.message());
    match status.source() {
        Some(_) => DialFault::CutOff { address: address.to_owned(), why },
        None => DialFault::Failed { address: address.to_owned(), why },
    }
}
