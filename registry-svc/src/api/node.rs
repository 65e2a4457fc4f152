//! Nodes: which there are, and what they are used for.

mod placement;

use super::answers;
use super::listing::{self, Listed, Place, Query, Rows};
use super::request::Mutation;
use super::status::{bad_field, unknown};
use crate::core::Core;
use pm_proto::convert::duration_from_wire;
use pm_proto::v1;
use pm_proto::v1::node_service_server::NodeService;
use process_model::{NodeName, label};
use registry_domain::{DrainNode, LabelNode, Node, Order, RemoveNode, SetSchedulable, State};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// Longest deadline of a drain.
const DEADLINE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

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

    async fn release_brake(
        &self,
        request: Request<v1::ReleaseBrakeRequest>,
    ) -> Result<Response<v1::ReleaseBrakeResponse>, Status> {
        let body = request.get_ref();
        let mutation = Mutation::new("release-brake", &request, &body.request_id, &body.reason)?;
        let was_engaged = self.0.view.read().state.meta().brake.is_some();
        let revision = mutation.run(&self.0, Order::ReleaseBrake).await?.revision();
        Ok(Response::new(v1::ReleaseBrakeResponse { was_engaged, revision }))
    }

    async fn get_node(&self, request: Request<v1::GetNodeRequest>) -> Result<Response<v1::GetNodeResponse>, Status> {
        let request = request.get_ref();
        self.0.read_barrier(request.stale).await?;
        let (node, revision) = self.node(&request.name)?;
        Ok(Response::new(v1::GetNodeResponse { node: Some(node), revision }))
    }

    async fn set_node_schedulable(
        &self,
        request: Request<v1::SetNodeSchedulableRequest>,
    ) -> Result<Response<v1::SetNodeSchedulableResponse>, Status> {
        let body = request.get_ref();
        let node = self.known(&body.name).await?;
        let mutation = Mutation::new("set-node-schedulable", &request, &body.request_id, &body.reason)?;
        let order = SetSchedulable { node, schedulable: body.schedulable };
        let revision = self.change(mutation, Order::SetSchedulable(order)).await?;
        let node = self.node(&body.name).ok().map(|(node, _)| node);
        Ok(Response::new(v1::SetNodeSchedulableResponse { node, revision }))
    }

    async fn drain_node(
        &self,
        request: Request<v1::DrainNodeRequest>,
    ) -> Result<Response<v1::DrainNodeResponse>, Status> {
        let body = request.get_ref();
        let deadline = body.deadline.as_ref().map(deadline).transpose()?;
        let node = self.known(&body.name).await?;
        let mutation = Mutation::new("drain-node", &request, &body.request_id, &body.reason)?;
        let revision = self.change(mutation, Order::Drain(DrainNode { node, deadline })).await?;
        let node = self.node(&body.name).ok().map(|(node, _)| node);
        Ok(Response::new(v1::DrainNodeResponse { node, revision }))
    }

    async fn label_node(
        &self,
        request: Request<v1::LabelNodeRequest>,
    ) -> Result<Response<v1::LabelNodeResponse>, Status> {
        let body = request.get_ref();
        check_labels(body)?;
        let node = self.known(&body.name).await?;
        let mutation = Mutation::new("label-node", &request, &body.request_id, &body.reason)?;
        let labels = body.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let revision = self.change(mutation, Order::LabelNode(LabelNode { node, labels })).await?;
        let node = self.node(&body.name).ok().map(|(node, _)| node);
        Ok(Response::new(v1::LabelNodeResponse { node, revision }))
    }

    async fn remove_node(
        &self,
        request: Request<v1::RemoveNodeRequest>,
    ) -> Result<Response<v1::RemoveNodeResponse>, Status> {
        let body = request.get_ref();
        let node = name(&body.name)?;
        let mutation = Mutation::new("remove-node", &request, &body.request_id, &body.reason)?;
        let order = Order::RemoveNode(RemoveNode { node, force: body.force });
        let revision = self.change(mutation, order).await?;
        Ok(Response::new(v1::RemoveNodeResponse { revision }))
    }

    async fn get_placement(
        &self,
        request: Request<v1::GetPlacementRequest>,
    ) -> Result<Response<v1::GetPlacementResponse>, Status> {
        let request = request.get_ref();
        self.0.read_barrier(request.stale).await?;
        let machine = self.0.view.read();
        let answer = placement::explained(&machine.state, &request.name);
        answer.map(Response::new).ok_or_else(|| unknown("process", &request.name))
    }
}

impl Api {
    /// A node as it is now.
    fn node(&self, name: &str) -> Result<(v1::Node, u64), Status> {
        let machine = self.0.view.read();
        let node = name.parse().ok().and_then(|name: NodeName| machine.state.nodes().get(&name));
        let node = node.ok_or_else(|| unknown("node", name))?;
        Ok((answers::node(node, &machine.state.usage_of(node)), machine.state.revision()))
    }

    /// The name of a node that there is, so that a misspelt one is told before it is written down.
    async fn known(&self, text: &str) -> Result<NodeName, Status> {
        self.0.read_barrier(false).await?;
        self.node(text)?;
        name(text)
    }

    async fn change(&self, mutation: Mutation, order: Order) -> Result<u64, Status> {
        Ok(mutation.run(&self.0, order).await?.revision())
    }
}

fn name(text: &str) -> Result<NodeName, Status> {
    text.parse().map_err(|_| unknown("node", text))
}

fn deadline(wire: &prost_types::Duration) -> Result<Duration, Status> {
    let deadline = duration_from_wire("deadline", wire)?;
    if deadline > DEADLINE {
        return Err(bad_field("deadline", format!("{} s is out of range", deadline.as_secs()), "write at most 7 days"));
    }
    Ok(deadline)
}

fn check_labels(body: &v1::LabelNodeRequest) -> Result<(), Status> {
    if body.labels.is_empty() {
        return Err(bad_field("labels", "there is none", "name at least one label"));
    }
    if body.labels.len() > label::MOST {
        let problem = format!("there are {}", body.labels.len());
        return Err(bad_field("labels", problem, format!("write at most {}", label::MOST)));
    }
    for (name, value) in &body.labels {
        let checked = if value.is_empty() { label::check_name(name) } else { label::check(name, value) };
        checked.map_err(|wrong| bad_field("labels", format!("{:?}: {}", wrong.name, wrong.problem), wrong.fix))?;
    }
    Ok(())
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
        Some(answers::node(node, &state.usage_of(node)))
    }
}
