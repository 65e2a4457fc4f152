//! Peers: openraft's messages over `RaftService`, MessagePack in a bytes
//! field. The channel to a peer is kept, because openraft makes a new client
//! for every linearizable read, and a connect would not fit into its timeout.

// The errors are openraft's own, and its traits want them unboxed.
#![allow(clippy::result_large_err)]

use super::type_config::TypeConfig;
use crate::codec;
use openraft::BasicNode;
use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
    VoteResponse,
};
use pm_proto::v1;
use pm_proto::v1::raft_service_client::RaftServiceClient;
use prost::bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use service_host::client::{ServiceChannel, service_channel};
use service_host::secret::Secret;
use service_host::transport::Dial;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Largest message between replicas: an entry holds up to one whole request
/// of 4 MiB, written with field names, and there may be several in a message.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Wait before a peer that does not answer is asked again. openraft's own
/// default of half a second would add that much to every failover.
const RETRY: Duration = Duration::from_millis(100);

type Client = RaftServiceClient<ServiceChannel>;
type Rpc<T, E = RaftError<u64>> = Result<T, RPCError<u64, BasicNode, E>>;

/// Makes connections to peers, one for each address.
pub struct Network {
    token: Secret,
    channels: Arc<Mutex<BTreeMap<String, ServiceChannel>>>,
}

impl Network {
    /// Peers are called with this token.
    #[must_use]
    pub fn new(token: Secret) -> Self {
        Self { token, channels: Arc::default() }
    }

    fn channel(&self, address: &str) -> Result<ServiceChannel, NetworkError> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        let channel =
            service_channel(&Dial::Tcp(address.to_owned()), &self.token).map_err(|error| NetworkError::new(&error))?;
        channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }
}

/// The way to one peer.
pub struct Peer {
    target: u64,
    client: Result<Client, NetworkError>,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        let client = self.channel(&node.addr).map(|channel| {
            RaftServiceClient::new(channel)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES)
        });
        Peer { target, client }
    }
}

impl Peer {
    fn client<E: Error>(&self) -> Rpc<Client, E> {
        self.client.clone().map_err(RPCError::Network)
    }

    /// What the peer answered: its answer or its error.
    fn answer<T, E>(&self, answer: Result<Bytes, tonic::Status>) -> Rpc<T, E>
    where
        T: DeserializeOwned,
        E: Error + DeserializeOwned,
    {
        let payload = answer.map_err(|status| {
            if status.code() == tonic::Code::Unavailable {
                RPCError::Unreachable(Unreachable::new(&status))
            } else {
                RPCError::Network(NetworkError::new(&status))
            }
        })?;
        let result: Result<T, E> =
            codec::decode("a peer's answer", &payload).map_err(|e| RPCError::Network(NetworkError::new(&e)))?;
        result.map_err(|error| RPCError::RemoteError(RemoteError::new(self.target, error)))
    }
}

fn payload<T: Serialize, E: Error>(message: &T) -> Rpc<Bytes, E> {
    let bytes = codec::encode("a message to a peer", message).map_err(|e| RPCError::Network(NetworkError::new(&e)))?;
    Ok(bytes.into())
}

fn timed<T>(message: T, option: &RPCOption) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(option.hard_ttl());
    request
}

impl RaftNetwork<TypeConfig> for Peer {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<AppendEntriesResponse<u64>> {
        let request = timed(v1::AppendEntriesRequest { payload: payload(&rpc)? }, &option);
        let answer = self.client()?.append_entries(request).await;
        self.answer(answer.map(|a| a.into_inner().payload))
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>> {
        let request = timed(v1::InstallSnapshotRequest { payload: payload(&rpc)? }, &option);
        let answer = self.client()?.install_snapshot(request).await;
        self.answer(answer.map(|a| a.into_inner().payload))
    }

    async fn vote(&mut self, rpc: VoteRequest<u64>, option: RPCOption) -> Rpc<VoteResponse<u64>> {
        let request = timed(v1::VoteRequest { payload: payload(&rpc)? }, &option);
        let answer = self.client()?.vote(request).await;
        self.answer(answer.map(|a| a.into_inner().payload))
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(RETRY))
    }
}
