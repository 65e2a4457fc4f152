//! Actions.

use super::request::{Mutation, check_selectors, page};
use super::status::{bad_field, unknown};
use crate::core::Core;
use pm_proto::v1;
use pm_proto::v1::action_service_server::ActionService;
use process_model::{Action, ActionTarget, ActionVerb, Selector, check_unit_name};
use registry_domain::{ControlUnits, Order, action_number};
use service_host::trace_context::traceparent_of_current_span;
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
            selectors.is_empty() || selectors.iter().any(|selector| selects(selector, &action.target))
        };
        let machine = self.0.view.read();
        let actions = machine.state.actions().values().rev().filter(wanted).take(most);
        Ok(Response::new(v1::ListActionsResponse {
            actions: actions.map(|action| (&**action).into()).collect(),
            revision: machine.state.revision(),
        }))
    }

    async fn control_units(
        &self,
        request: Request<v1::ControlUnitsRequest>,
    ) -> Result<Response<v1::ControlUnitsResponse>, Status> {
        let mutation =
            Mutation::new("control-units", &request, &request.get_ref().request_id, &request.get_ref().reason)?;
        let wanted = request.into_inner();
        check_selectors("nodes", &wanted.nodes)?;
        check_unit_name(&wanted.unit).map_err(|problem| bad_field("unit", problem, "name one unit"))?;
        let verb = match wanted.verb() {
            v1::ActionVerb::Start => ActionVerb::Start,
            v1::ActionVerb::Stop => ActionVerb::Stop,
            v1::ActionVerb::Restart => ActionVerb::Restart,
            v1::ActionVerb::Reload => ActionVerb::Reload,
            v1::ActionVerb::Signal | v1::ActionVerb::Unspecified => {
                return Err(bad_field("verb", "it is none for a unit", "write start, stop, restart or reload"));
            }
        };
        let traceparent = traceparent_of_current_span().unwrap_or_default();
        let order = ControlUnits { nodes: wanted.nodes, unit: wanted.unit, verb, traceparent };
        let (actions, revision) = mutation.queue(&self.0, Order::ControlUnits(order)).await?;
        Ok(Response::new(v1::ControlUnitsResponse { actions, revision }))
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

/// An instance by everything that selects it, a unit by its name.
fn selects(selector: &Selector, target: &ActionTarget) -> bool {
    match target {
        ActionTarget::Instance(id) => selector.selects_instance(id),
        ActionTarget::Unit(unit) => selector.matches(unit),
    }
}
