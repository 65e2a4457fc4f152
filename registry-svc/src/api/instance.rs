//! Instances: what was seen of them.

use super::answers;
use super::listing::{self, Listed, Named, Place, Query, Rows};
use super::request::{check_selectors, check_text};
use super::status::unknown;
use crate::core::Core;
use pm_proto::v1;
use pm_proto::v1::instance_service_server::InstanceService;
use process_model::{InstanceId, NodeName, Selector};
use registry_domain::{Instance, State};
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Api(pub(super) Arc<Core>);

#[tonic::async_trait]
impl InstanceService for Api {
    async fn list_instances(
        &self,
        request: Request<v1::ListInstancesRequest>,
    ) -> Result<Response<v1::ListInstancesResponse>, Status> {
        let request = request.into_inner();
        check_selectors("selectors", &request.selectors)?;
        check_text("node", &request.node, 256)?;
        let place = Place::new('i', request.page_size, &request.page_token)?;
        self.0.read_barrier(request.stale).await?;
        let selectors: Vec<Selector> = request.selectors.into_iter().map(Selector::new).collect();
        let named = listing::named(&selectors);
        let query = Wanted { node: request.node.parse().ok(), of_node: !request.node.is_empty(), selectors, named };
        let Listed { items, next_page_token, revision } = listing::list(&self.0, place, &query);
        Ok(Response::new(v1::ListInstancesResponse { instances: items, next_page_token, revision }))
    }

    async fn get_instance(
        &self,
        request: Request<v1::GetInstanceRequest>,
    ) -> Result<Response<v1::GetInstanceResponse>, Status> {
        self.0.read_barrier(request.get_ref().stale).await?;
        let id = &request.get_ref().id;
        let machine = self.0.view.read();
        let instance = id.parse().ok().and_then(|id| machine.state.instances().get(&id));
        let instance = instance.ok_or_else(|| unknown("instance", id))?;
        Ok(Response::new(v1::GetInstanceResponse {
            instance: Some(answers::instance_among(&machine.state, instance)),
            revision: machine.state.revision(),
        }))
    }
}

/// What a list of instances is of.
struct Wanted {
    selectors: Vec<Selector>,
    named: Option<Named>,
    /// Only those of a node; `None`: no node can have the name that was given.
    of_node: bool,
    node: Option<NodeName>,
}

impl Query for Wanted {
    type Row = Instance;
    type Key = InstanceId;
    type Message = v1::Instance;

    fn rows<'s>(&'s self, state: &'s State, after: Option<&'s InstanceId>) -> Rows<'s, Instance> {
        match (&self.named, &self.node) {
            (Some(named), _) => Box::new(named.instances(state, after)),
            (None, Some(node)) => Box::new(state.instances_on_after(node, after)),
            (None, None) if self.of_node => Box::new(std::iter::empty()),
            (None, None) => Box::new(state.instances_after(after)),
        }
    }

    fn key(instance: &Instance) -> &InstanceId {
        &instance.id
    }

    fn message(&self, state: &State, instance: &Instance) -> Option<v1::Instance> {
        let on_node = !self.of_node || (self.node.is_some() && instance.node == self.node);
        let selected = self.selectors.is_empty() || self.selectors.iter().any(|s| s.selects_instance(&instance.id));
        (on_node && selected).then(|| answers::instance_among(state, instance))
    }
}
