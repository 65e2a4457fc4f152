//! A client of one member of etcd: the same tonic channel as ours, with etcd's
//! methods by their paths.

use super::door::Standing;
use super::etcd_messages::{
    MoveLeaderRequest, MoveLeaderResponse, PutRequest, PutResponse, RangeRequest, RangeResponse, StatusRequest,
    StatusResponse,
};
use super::workload;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// A connection to one member; clones share it.
#[derive(Clone)]
pub(crate) struct EtcdDoor(Grpc<Channel>);

impl EtcdDoor {
    /// Calls over this channel.
    pub(crate) fn new(channel: Channel) -> Self {
        Self(Grpc::new(channel))
    }

    async fn call<Q, A>(&mut self, path: &'static str, request: Q) -> Result<A, Status>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static(path);
        self.0.unary(Request::new(request), path, ProstCodec::<Q, A>::default()).await.map(tonic::Response::into_inner)
    }

    /// Puts a value under a key.
    pub(crate) async fn write(&mut self, key: usize, serial: u64) -> Result<(), Status> {
        let request = PutRequest { key: workload::name(key).into_bytes(), value: workload::value(serial) };
        self.call::<_, PutResponse>("/etcdserverpb.KV/Put", request).await.map(drop)
    }

    /// Gets a key; linearizable.
    pub(crate) async fn read(&mut self, key: usize) -> Result<(), Status> {
        let request = RangeRequest { key: workload::name(key).into_bytes(), serializable: false };
        let answer: RangeResponse = self.call("/etcdserverpb.KV/Range", request).await?;
        match answer.kvs.first() {
            Some(_) => Ok(()),
            None => Err(Status::not_found("the key is not there")),
        }
    }

    /// Who it is and whom it follows.
    pub(crate) async fn standing(&mut self) -> Result<Standing, Status> {
        let answer: StatusResponse = self.call("/etcdserverpb.Maintenance/Status", StatusRequest {}).await?;
        let me = answer.header.map_or(0, |header| header.member_id);
        Ok(Standing { me, leader: answer.leader, term: answer.raft_term })
    }

    /// Hands leadership over; only the leader does it.
    pub(crate) async fn move_leader(&mut self, to: u64) -> Result<(), Status> {
        let request = MoveLeaderRequest { target_id: to };
        self.call::<_, MoveLeaderResponse>("/etcdserverpb.Maintenance/MoveLeader", request).await.map(drop)
    }
}
