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
        let standing = self.0.consensus.standing().borrow().clone();
        let reached = self.0.consensus.reached();
        let machine = self.0.view.read();
        let members = standing.members.all().into_iter().map(|id| v1::ClusterMember {
            id: id.0,
            address: self.0.address_of(id),
            voter: standing.members.voters.contains(id),
        });
        Ok(Response::new(v1::GetClusterStatusResponse {
            id: standing.me.0,
            leader_id: standing.leader.map_or(0, |leader| leader.0),
            term: standing.term,
            last_log_index: reached.last.map_or(0, |at| at.index),
            applied_index: reached.applied.map_or(0, |at| at.index),
            revision: machine.state.revision(),
            members: members.collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cluster_id: machine.state.meta().cluster_id.clone(),
        }))
    }
}
