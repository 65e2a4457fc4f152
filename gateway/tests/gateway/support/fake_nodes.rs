//! Nodes of the pretended registry: what was asked comes back.

use super::fake_registry::FakeRegistry;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use tonic::{Code, Request, Response, Status};

#[tonic::async_trait]
impl v1::node_service_server::NodeService for FakeRegistry {
    /// Three nodes, one on each page.
    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        let token = request.into_inner().page_token;
        let (name, next) = match token.as_str() {
            "" => ("n1", "after n1"),
            "after n1" => ("n2", "after n2"),
            _ => ("n3", ""),
        };
        let node = v1::Node { name: name.to_owned(), ..Default::default() };
        let next_page_token = next.to_owned();
        Ok(Response::new(v1::ListNodesResponse { nodes: vec![node], revision: 7, next_page_token }))
    }

    async fn release_brake(
        &self,
        _: Request<v1::ReleaseBrakeRequest>,
    ) -> Result<Response<v1::ReleaseBrakeResponse>, Status> {
        Ok(Response::new(v1::ReleaseBrakeResponse { was_engaged: true, revision: 7 }))
    }

    async fn get_node(&self, request: Request<v1::GetNodeRequest>) -> Result<Response<v1::GetNodeResponse>, Status> {
        let node = v1::Node { name: request.into_inner().name, ..Default::default() };
        Ok(Response::new(v1::GetNodeResponse { node: Some(node), revision: 7 }))
    }

    async fn set_node_schedulable(
        &self,
        request: Request<v1::SetNodeSchedulableRequest>,
    ) -> Result<Response<v1::SetNodeSchedulableResponse>, Status> {
        let request = request.into_inner();
        let node = v1::Node { name: request.name, cordoned: !request.schedulable, ..Default::default() };
        Ok(Response::new(v1::SetNodeSchedulableResponse { node: Some(node), revision: 8 }))
    }

    /// With so many left as the deadline has seconds.
    async fn drain_node(
        &self,
        request: Request<v1::DrainNodeRequest>,
    ) -> Result<Response<v1::DrainNodeResponse>, Status> {
        let request = request.into_inner();
        let left = request.deadline.map_or(0, |deadline| u32::try_from(deadline.seconds).unwrap());
        let drain = Some(v1::NodeDrain { left, ..Default::default() });
        let node = v1::Node { name: request.name, drain, ..Default::default() };
        Ok(Response::new(v1::DrainNodeResponse { node: Some(node), revision: 8 }))
    }

    async fn label_node(
        &self,
        request: Request<v1::LabelNodeRequest>,
    ) -> Result<Response<v1::LabelNodeResponse>, Status> {
        let request = request.into_inner();
        let node = v1::Node { name: request.name, labels: request.labels, ..Default::default() };
        Ok(Response::new(v1::LabelNodeResponse { node: Some(node), revision: 8 }))
    }

    async fn remove_node(
        &self,
        request: Request<v1::RemoveNodeRequest>,
    ) -> Result<Response<v1::RemoveNodeResponse>, Status> {
        let request = request.into_inner();
        if !request.force {
            let text = format!("node {} was not removed", request.name);
            return Err(status(Code::FailedPrecondition, reason::NODE_IN_USE, text, &[("node", &request.name)]));
        }
        Ok(Response::new(v1::RemoveNodeResponse { revision: 8 }))
    }

    async fn get_placement(
        &self,
        request: Request<v1::GetPlacementRequest>,
    ) -> Result<Response<v1::GetPlacementResponse>, Status> {
        let process = request.into_inner().name;
        Ok(Response::new(v1::GetPlacementResponse { process, node_count: 3, ..Default::default() }))
    }
}
