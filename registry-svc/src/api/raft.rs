//! Consensus messages from peers; see `io::network` for the other end.

use crate::codec;
use crate::io::type_config::{Raft, TypeConfig};
use openraft::raft::{AppendEntriesRequest, InstallSnapshotRequest, VoteRequest};
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::raft_service_server::RaftService;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::{Code, Request, Response, Status};

pub(super) struct Api(pub(super) Raft);

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Status> {
    codec::decode("a consensus message", payload)
        .map_err(|e| status(Code::InvalidArgument, reason::INVALID_ARGUMENT, format!("payload: {e}"), &[]))
}

/// Answer and error alike travel in the payload: an error here is about the
/// way, not about consensus.
fn write<T: Serialize>(answer: &T) -> Result<prost::bytes::Bytes, Status> {
    codec::encode("a consensus answer", answer)
        .map(Into::into)
        .map_err(|e| status(Code::Internal, reason::INTERNAL, e.to_string(), &[]))
}

#[tonic::async_trait]
impl RaftService for Api {
    async fn append_entries(
        &self,
        request: Request<v1::AppendEntriesRequest>,
    ) -> Result<Response<v1::AppendEntriesResponse>, Status> {
        let rpc: AppendEntriesRequest<TypeConfig> = read(&request.into_inner().payload)?;
        let payload = write(&self.0.append_entries(rpc).await)?;
        Ok(Response::new(v1::AppendEntriesResponse { payload }))
    }

    async fn vote(&self, request: Request<v1::VoteRequest>) -> Result<Response<v1::VoteResponse>, Status> {
        let rpc: VoteRequest<u64> = read(&request.into_inner().payload)?;
        let payload = write(&self.0.vote(rpc).await)?;
        Ok(Response::new(v1::VoteResponse { payload }))
    }

    async fn install_snapshot(
        &self,
        request: Request<v1::InstallSnapshotRequest>,
    ) -> Result<Response<v1::InstallSnapshotResponse>, Status> {
        let rpc: InstallSnapshotRequest<TypeConfig> = read(&request.into_inner().payload)?;
        let payload = write(&self.0.install_snapshot(rpc).await)?;
        Ok(Response::new(v1::InstallSnapshotResponse { payload }))
    }
}

#[cfg(test)]
mod tests;
