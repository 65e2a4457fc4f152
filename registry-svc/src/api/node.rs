//! Nodes.

use super::answers;
use crate::core::Core;
use pm_proto::v1;
use pm_proto::v1::node_service_server::NodeService;
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Api(pub(super) Arc<Core>);

#[tonic::async_trait]
impl NodeService for Api {
    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        self.0.read_barrier(request.get_ref().stale).await?;
        let machine = self.0.view.read();
        let nodes = machine.state.nodes().values();
        Ok(Response::new(v1::ListNodesResponse {
            nodes: nodes.map(|node| answers::node(node, &machine.state)).collect(),
            revision: machine.state.revision(),
        }))
    }
}
