//! The cluster as this replica sees it.

use crate::core::Core;
use pm_proto::v1;
use pm_proto::v1::cluster_service_server::ClusterService;
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Api(pub(super) Arc<Core>);

#[tonic::async_trait]
impl ClusterService for Api {
    async fn get_cluster_status(
        &self,
        _request: Request<v1::GetClusterStatusRequest>,
    ) -> Result<Response<v1::GetClusterStatusResponse>, Status> {
        let raft = self.0.raft.metrics().borrow().clone();
        let machine = self.0.view.read();
        let membership = raft.membership_config.membership();
        let voters: Vec<u64> = membership.voter_ids().collect();
        let members = membership.nodes().map(|(id, node)| v1::ClusterMember {
            id: *id,
            address: node.addr.clone(),
            voter: voters.contains(id),
        });
        Ok(Response::new(v1::GetClusterStatusResponse {
            id: raft.id,
            leader_id: raft.current_leader.unwrap_or(0),
            term: raft.current_term,
            last_log_index: raft.last_log_index.unwrap_or(0),
            applied_index: machine.applied.at.map_or(0, |at| at.index),
            revision: machine.state.revision(),
            members: members.collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cluster_id: machine.state.meta().cluster_id.clone(),
        }))
    }
}
