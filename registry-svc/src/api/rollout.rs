//! Rollouts: look, hold, let go on, restart, scale.

use super::process::applied;
use super::request::{Mutation, check_selectors, unexpected};
use super::status::{bad_field, unknown};
use crate::core::Core;
use pm_proto::convert::timestamp_to_wire;
use pm_proto::v1;
use pm_proto::v1::rollout_service_server::RolloutService;
use process_model::ProcessName;
use process_model::spec::limits;
use registry_domain::{InstancePlan, Order, Process, Reply, RollingRestart, Scale, State, Step};
use service_host::trace_context::traceparent_of_current_span;
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Api(pub(super) Arc<Core>);

#[tonic::async_trait]
impl RolloutService for Api {
    async fn get_rollout(
        &self,
        request: Request<v1::GetRolloutRequest>,
    ) -> Result<Response<v1::GetRolloutResponse>, Status> {
        self.0.read_barrier(request.get_ref().stale).await?;
        let name = &request.get_ref().name;
        let machine = self.0.view.read();
        let process = name.parse().ok().and_then(|name: ProcessName| machine.state.processes().get(&name));
        let process = process.ok_or_else(|| unknown("process", name))?;
        Ok(Response::new(v1::GetRolloutResponse {
            rollout: rollout(&machine.state, process),
            generation: process.generation,
            revision: machine.state.revision(),
        }))
    }

    async fn pause_rollout(
        &self,
        request: Request<v1::PauseRolloutRequest>,
    ) -> Result<Response<v1::PauseRolloutResponse>, Status> {
        let body = request.get_ref();
        let mutation = Mutation::new("pause-rollout", &request, &body.request_id, &body.reason)?;
        let (rollout, revision) = self.steer(mutation, &body.name, |process| Order::PauseRollout { process }).await?;
        Ok(Response::new(v1::PauseRolloutResponse { rollout, revision }))
    }

    async fn resume_rollout(
        &self,
        request: Request<v1::ResumeRolloutRequest>,
    ) -> Result<Response<v1::ResumeRolloutResponse>, Status> {
        let body = request.get_ref();
        let mutation = Mutation::new("resume-rollout", &request, &body.request_id, &body.reason)?;
        let (rollout, revision) = self.steer(mutation, &body.name, |process| Order::ResumeRollout { process }).await?;
        Ok(Response::new(v1::ResumeRolloutResponse { rollout, revision }))
    }

    async fn promote_rollout(
        &self,
        request: Request<v1::PromoteRolloutRequest>,
    ) -> Result<Response<v1::PromoteRolloutResponse>, Status> {
        let body = request.get_ref();
        let mutation = Mutation::new("promote-rollout", &request, &body.request_id, &body.reason)?;
        let (rollout, revision) = self.steer(mutation, &body.name, |process| Order::PromoteRollout { process }).await?;
        Ok(Response::new(v1::PromoteRolloutResponse { rollout, revision }))
    }

    async fn restart_rollout(
        &self,
        request: Request<v1::RestartRolloutRequest>,
    ) -> Result<Response<v1::RestartRolloutResponse>, Status> {
        let body = request.get_ref();
        check_selectors("selectors", &body.selectors)?;
        let mutation = Mutation::new("rolling-restart", &request, &body.request_id, &body.reason)?;
        let traceparent = traceparent_of_current_span().unwrap_or_default();
        let order = Order::RollingRestart(RollingRestart { selectors: body.selectors.clone(), traceparent });
        let (rollouts, revision) = self.rollouts(mutation, order).await?;
        Ok(Response::new(v1::RestartRolloutResponse { rollouts, revision }))
    }

    async fn scale_process(
        &self,
        request: Request<v1::ScaleProcessRequest>,
    ) -> Result<Response<v1::ScaleProcessResponse>, Status> {
        let body = request.get_ref();
        let mutation = Mutation::new("scale", &request, &body.request_id, &body.reason)?;
        if !limits::INSTANCES.contains(&body.instances) {
            let problem = format!("{} are out of range", body.instances);
            let fix = format!("write {} to {}", limits::INSTANCES.start(), limits::INSTANCES.end());
            return Err(bad_field("instances", problem, fix));
        }
        let order = Scale {
            process: name(&body.name)?,
            instances: body.instances,
            expected: body.expected_generation,
            traceparent: traceparent_of_current_span().unwrap_or_default(),
        };
        let reply = mutation.run(&self.0, Order::Scale(order)).await?;
        let Reply::Applied { results, revision } = &reply else { return Err(unexpected(&reply)) };
        let machine = self.0.view.read();
        let result = results.first().map(|result| applied(&machine.state, result));
        Ok(Response::new(v1::ScaleProcessResponse { result, revision: *revision }))
    }
}

impl Api {
    async fn steer(
        &self,
        mutation: Mutation,
        process: &str,
        order: impl FnOnce(ProcessName) -> Order,
    ) -> Result<(Option<v1::Rollout>, u64), Status> {
        let (mut rollouts, revision) = self.rollouts(mutation, order(name(process)?)).await?;
        Ok((rollouts.pop(), revision))
    }

    async fn rollouts(&self, mutation: Mutation, order: Order) -> Result<(Vec<v1::Rollout>, u64), Status> {
        let reply = mutation.run(&self.0, order).await?;
        let Reply::Rollouts { processes, revision } = &reply else { return Err(unexpected(&reply)) };
        let machine = self.0.view.read();
        let there = processes.iter().filter_map(|name| machine.state.processes().get(name));
        Ok((there.filter_map(|process| rollout(&machine.state, process)).collect(), *revision))
    }
}

fn name(text: &str) -> Result<ProcessName, Status> {
    let parsed = text.parse();
    parsed.map_err(|fault: process_model::InvalidName| bad_field("name", fault.fault, "write the name of one process"))
}

/// The rollout of a process as it is now.
fn rollout(state: &State, process: &Process) -> Option<v1::Rollout> {
    let kept = process.rollout.as_deref()?;
    Some(v1::Rollout {
        process: process.spec.name.to_string(),
        actor: kept.actor.clone(),
        reason: kept.reason.clone(),
        begin_time: Some(timestamp_to_wire(kept.began)),
        progress_time: Some(timestamp_to_wire(kept.progressed)),
        end_time: kept.ended.map(timestamp_to_wire),
        ..(&state.rollout_detail(process, kept)).into()
    })
}

/// What becomes of an instance.
pub(super) fn planned(plan: &InstancePlan) -> v1::InstancePlan {
    let step = match plan.step {
        Step::Create => v1::InstanceStep::Create,
        Step::Restart => v1::InstanceStep::Restart,
        Step::InPlace => v1::InstanceStep::InPlace,
        Step::Remove => v1::InstanceStep::Remove,
        Step::None => v1::InstanceStep::None,
        Step::Surge => v1::InstanceStep::Surge,
    };
    v1::InstancePlan { instance_id: plan.instance.to_string(), step: step.into() }
}
