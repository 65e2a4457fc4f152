//! Actions.

use super::request::{check_selectors, page};
use super::status::unknown;
use crate::core::Core;
use pm_proto::v1;
use pm_proto::v1::action_service_server::ActionService;
use process_model::{Action, Selector};
use registry_domain::action_number;
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Api(pub(super) Arc<Core>);

#[tonic::async_trait]
impl ActionService for Api {
    async fn list_actions(
        &self,
        request: Request<v1::ListActionsRequest>,
    ) -> Result<Response<v1::ListActionsResponse>, Status> {
        let request = request.into_inner();
        check_selectors("selectors", &request.selectors)?;
        let most = page(request.page_size)?;
        self.0.read_barrier(request.stale).await?;
        let selectors: Vec<Selector> = request.selectors.into_iter().map(Selector::new).collect();
        let wanted = |action: &&Arc<Action>| {
            selectors.is_empty() || selectors.iter().any(|s| s.selects_instance(&action.instance))
        };
        let machine = self.0.view.read();
        let actions = machine.state.actions().values().rev().filter(wanted).take(most);
        Ok(Response::new(v1::ListActionsResponse {
            actions: actions.map(|action| (&**action).into()).collect(),
            revision: machine.state.revision(),
        }))
    }

    async fn get_action(
        &self,
        request: Request<v1::GetActionRequest>,
    ) -> Result<Response<v1::GetActionResponse>, Status> {
        self.0.read_barrier(request.get_ref().stale).await?;
        let id = &request.get_ref().id;
        let machine = self.0.view.read();
        let action = action_number(id).and_then(|number| machine.state.actions().get(&number));
        let action = action.ok_or_else(|| unknown("action", id))?;
        Ok(Response::new(v1::GetActionResponse {
            action: Some((&**action).into()),
            revision: machine.state.revision(),
        }))
    }
}
