//! Nodes.

use super::answers;
use super::listing::{self, Listed, Place, Query, Rows};
use crate::core::Core;
use pm_proto::v1;
use pm_proto::v1::node_service_server::NodeService;
use process_model::NodeName;
use registry_domain::{Node, State};
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Api(pub(super) Arc<Core>);

#[tonic::async_trait]
impl NodeService for Api {
    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        let request = request.get_ref();
        let place = Place::new('n', request.page_size, &request.page_token)?;
        self.0.read_barrier(request.stale).await?;
        let Listed { items, next_page_token, revision } = listing::list(&self.0, place, &Wanted);
        Ok(Response::new(v1::ListNodesResponse { nodes: items, next_page_token, revision }))
    }
}

/// A list of nodes is of all.
struct Wanted;

impl Query for Wanted {
    type Row = Node;
    type Key = NodeName;
    type Message = v1::Node;

    fn rows<'s>(&'s self, state: &'s State, after: Option<&'s NodeName>) -> Rows<'s, Node> {
        Box::new(state.nodes_after(after))
    }

    fn key(node: &Node) -> &NodeName {
        &node.name
    }

    fn message(&self, state: &State, node: &Node) -> Option<v1::Node> {
        Some(answers::node(node, state.load_of(&node.name)))
    }
}
