//! Instances: what was seen of them.

use super::answers;
use super::request::{check_selectors, check_text};
use super::status::unknown;
use crate::core::Core;
use pm_proto::v1;
use pm_proto::v1::instance_service_server::InstanceService;
use process_model::Selector;
use registry_domain::Instance;
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
        self.0.read_barrier(request.stale).await?;
        let selectors: Vec<Selector> = request.selectors.into_iter().map(Selector::new).collect();
        let wanted = |instance: &&Arc<Instance>| {
            let on_node = request.node.is_empty() || instance.node.as_ref().is_some_and(|n| n.as_str() == request.node);
            on_node && (selectors.is_empty() || selectors.iter().any(|s| s.selects_instance(&instance.id)))
        };
        let machine = self.0.view.read();
        Ok(Response::new(v1::ListInstancesResponse {
            instances: machine
                .state
                .instances()
                .values()
                .filter(wanted)
                .map(|instance| answers::instance(instance))
                .collect(),
            revision: machine.state.revision(),
        }))
    }

    async fn get_instance(
        &self,
        request: Request<v1::GetInstanceRequest>,
    ) -> Result<Response<v1::GetInstanceResponse>, Status> {
        self.0.read_barrier(false).await?;
        let id = &request.get_ref().id;
        let machine = self.0.view.read();
        let instance = id.parse().ok().and_then(|id| machine.state.instances().get(&id));
        let instance = instance.ok_or_else(|| unknown("instance", id))?;
        Ok(Response::new(v1::GetInstanceResponse {
            instance: Some(answers::instance(instance)),
            revision: machine.state.revision(),
        }))
    }
}
