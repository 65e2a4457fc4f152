//! Processes: define, start, stop.

use super::listing::{self, Listed, Named, Place, Query, Rows};
use super::request::{Mutation, check_selectors, check_text, unexpected};
use super::status::{bad_field, refused, unknown};
use super::{answers, generations, rollout, runs};
use crate::core::Core;
use pm_proto::convert::{duration_from_wire, spec_from_wire};
use pm_proto::error::{invalid, reason, status};
use pm_proto::v1;
use pm_proto::v1::process_service_server::ProcessService;
use process_model::spec::{Fault, limits};
use process_model::{ActionVerb, ProcessName, ProcessSpec, Selector};
use prost::Message;
use registry_domain::{
    Applied, Apply, ApplyOutcome, Order, Process, Reply, SendSignal, State, Switch, check_apply, preview,
};
use service_host::trace_context::traceparent_of_current_span;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Code, Request, Response, Status};

/// Longest spec. Twice what a command line can hold; in every replica's memory.
const SPEC_BYTES: usize = 256 << 10;
/// Longest request to apply: its answer holds every spec again and has to fit
/// into the 4 MiB that a gRPC client takes.
const APPLY_BYTES: usize = 3 << 20;
/// Longest text that says where specs come from.
const SOURCE_BYTES: usize = 4 << 10;

pub(super) struct Api(pub(super) Arc<Core>);

#[tonic::async_trait]
impl ProcessService for Api {
    async fn list_processes(
        &self,
        request: Request<v1::ListProcessesRequest>,
    ) -> Result<Response<v1::ListProcessesResponse>, Status> {
        let request = request.into_inner();
        check_selectors("selectors", &request.selectors)?;
        let place = Place::new('p', request.page_size, &request.page_token)?;
        self.0.read_barrier(request.stale).await?;
        let selectors: Vec<Selector> = request.selectors.into_iter().map(Selector::new).collect();
        let query = Wanted { named: listing::named(&selectors), selectors };
        let Listed { items, next_page_token, revision } = listing::list(&self.0, place, &query);
        Ok(Response::new(v1::ListProcessesResponse { processes: items, next_page_token, revision }))
    }

    async fn get_process(
        &self,
        request: Request<v1::GetProcessRequest>,
    ) -> Result<Response<v1::GetProcessResponse>, Status> {
        self.0.read_barrier(request.get_ref().stale).await?;
        let name = &request.get_ref().name;
        let machine = self.0.view.read();
        let process = name.parse().ok().and_then(|name| machine.state.processes().get(&name));
        let process = process.ok_or_else(|| unknown("process", name))?;
        Ok(Response::new(v1::GetProcessResponse {
            process: Some(answers::process(process)),
            revision: machine.state.revision(),
        }))
    }

    async fn apply_processes(
        &self,
        request: Request<v1::ApplyProcessesRequest>,
    ) -> Result<Response<v1::ApplyProcessesResponse>, Status> {
        let body = request.get_ref();
        check_size(body.encoded_len())?;
        check_text("source", &body.source, SOURCE_BYTES)?;
        let mutation = Mutation::new("apply", &request, &body.request_id, &body.reason)?;
        let order = Apply {
            specs: specs(&body.specs)?.into_iter().map(Arc::new).collect(),
            source: body.source.clone(),
            prune: body.prune,
            etags: body.etags.clone(),
            generations: body.generations.clone(),
            traceparent: traceparent_of_current_span().unwrap_or_default(),
        };
        if body.validate_only {
            return self.validate(&order).await;
        }
        let reply = mutation.run(&self.0, Order::Apply(order)).await?;
        let Reply::Applied { results, revision } = &reply else { return Err(unexpected(&reply)) };
        let machine = self.0.view.read();
        let results = results.iter().map(|result| applied(&machine.state, result)).collect();
        Ok(Response::new(v1::ApplyProcessesResponse { results, revision: *revision }))
    }

    async fn delete_processes(
        &self,
        request: Request<v1::DeleteProcessesRequest>,
    ) -> Result<Response<v1::DeleteProcessesResponse>, Status> {
        let body = request.get_ref();
        check_selectors("selectors", &body.selectors)?;
        let mutation = Mutation::new("delete", &request, &body.request_id, &body.reason)?;
        let order = Order::Delete { selectors: request.into_inner().selectors };
        match mutation.run(&self.0, order).await? {
            Reply::Deleted { names, instances, revision } => Ok(Response::new(v1::DeleteProcessesResponse {
                names: names.iter().map(ToString::to_string).collect(),
                instance_ids: instances.iter().map(ToString::to_string).collect(),
                revision,
            })),
            reply @ (Reply::Applied { .. }
            | Reply::Switched { .. }
            | Reply::Enrolled { .. }
            | Reply::Restored { .. }
            | Reply::Rollouts { .. }
            | Reply::Noted { .. }) => Err(unexpected(&reply)),
        }
    }

    async fn start_processes(
        &self,
        request: Request<v1::StartProcessesRequest>,
    ) -> Result<Response<v1::StartProcessesResponse>, Status> {
        let body = request.get_ref();
        let mutation = Mutation::new("start", &request, &body.request_id, &body.reason)?;
        let (actions, revision) = self.switch(mutation, ActionVerb::Start, &body.selectors, None).await?;
        Ok(Response::new(v1::StartProcessesResponse { actions, revision }))
    }

    async fn stop_processes(
        &self,
        request: Request<v1::StopProcessesRequest>,
    ) -> Result<Response<v1::StopProcessesResponse>, Status> {
        let body = request.get_ref();
        let mutation = Mutation::new("stop", &request, &body.request_id, &body.reason)?;
        let timeout = body.timeout.as_ref().map(stop_timeout).transpose()?;
        let (actions, revision) = self.switch(mutation, ActionVerb::Stop, &body.selectors, timeout).await?;
        Ok(Response::new(v1::StopProcessesResponse { actions, revision }))
    }

    async fn restart_processes(
        &self,
        request: Request<v1::RestartProcessesRequest>,
    ) -> Result<Response<v1::RestartProcessesResponse>, Status> {
        let body = request.get_ref();
        let mutation = Mutation::new("restart", &request, &body.request_id, &body.reason)?;
        let (actions, revision) = self.switch(mutation, ActionVerb::Restart, &body.selectors, None).await?;
        Ok(Response::new(v1::RestartProcessesResponse { actions, revision }))
    }

    async fn reload_processes(
        &self,
        request: Request<v1::ReloadProcessesRequest>,
    ) -> Result<Response<v1::ReloadProcessesResponse>, Status> {
        let body = request.get_ref();
        let mutation = Mutation::new("reload", &request, &body.request_id, &body.reason)?;
        let (actions, revision) = self.switch(mutation, ActionVerb::Reload, &body.selectors, None).await?;
        Ok(Response::new(v1::ReloadProcessesResponse { actions, revision }))
    }

    async fn signal_processes(
        &self,
        request: Request<v1::SignalProcessesRequest>,
    ) -> Result<Response<v1::SignalProcessesResponse>, Status> {
        let body = request.get_ref();
        let mutation = Mutation::new("signal", &request, &body.request_id, &body.reason)?;
        check_selectors("selectors", &body.selectors)?;
        let signal = body.signal.parse().map_err(|problem: String| bad_field("signal", problem, "name one signal"))?;
        let traceparent = traceparent_of_current_span().unwrap_or_default();
        let order = SendSignal { selectors: body.selectors.clone(), signal, traceparent };
        let (actions, revision) = mutation.queue(&self.0, Order::Signal(order)).await?;
        Ok(Response::new(v1::SignalProcessesResponse { actions, revision }))
    }

    async fn list_generations(
        &self,
        request: Request<v1::ListGenerationsRequest>,
    ) -> Result<Response<v1::ListGenerationsResponse>, Status> {
        generations::list(&self.0, request.get_ref()).await.map(Response::new)
    }

    async fn get_generation(
        &self,
        request: Request<v1::GetGenerationRequest>,
    ) -> Result<Response<v1::GetGenerationResponse>, Status> {
        generations::get(&self.0, request.get_ref()).await.map(Response::new)
    }

    async fn get_process_diff(
        &self,
        request: Request<v1::GetProcessDiffRequest>,
    ) -> Result<Response<v1::GetProcessDiffResponse>, Status> {
        generations::diff(&self.0, request.get_ref()).await.map(Response::new)
    }

    async fn list_runs(&self, request: Request<v1::ListRunsRequest>) -> Result<Response<v1::ListRunsResponse>, Status> {
        runs::list(&self.0, request.get_ref()).await.map(Response::new)
    }

    async fn rollback_process(
        &self,
        request: Request<v1::RollbackProcessRequest>,
    ) -> Result<Response<v1::RollbackProcessResponse>, Status> {
        generations::rollback(&self.0, &request).await.map(Response::new)
    }
}

/// What a list of processes is of.
struct Wanted {
    selectors: Vec<Selector>,
    named: Option<Named>,
}

impl Query for Wanted {
    type Row = Process;
    type Key = ProcessName;
    type Message = v1::Process;

    fn rows<'s>(&'s self, state: &'s State, after: Option<&'s ProcessName>) -> Rows<'s, Process> {
        match &self.named {
            Some(named) => Box::new(named.processes(state, after)),
            None => Box::new(state.processes_after(after)),
        }
    }

    fn key(process: &Process) -> &ProcessName {
        &process.spec.name
    }

    fn message(&self, _: &State, process: &Process) -> Option<v1::Process> {
        let name = process.spec.name.as_str();
        let wanted = self.selectors.is_empty() || self.selectors.iter().any(|s| s.matches(name));
        wanted.then(|| answers::process(process))
    }
}

impl Api {
    async fn switch(
        &self,
        mutation: Mutation,
        verb: ActionVerb,
        selectors: &[String],
        stop_timeout: Option<Duration>,
    ) -> Result<(Vec<v1::Action>, u64), Status> {
        check_selectors("selectors", selectors)?;
        let traceparent = traceparent_of_current_span().unwrap_or_default();
        let order = Switch { verb, selectors: selectors.to_vec(), stop_timeout, traceparent };
        mutation.queue(&self.0, Order::Switch(order)).await
    }

    /// Everything but the change.
    async fn validate(&self, order: &Apply) -> Result<Response<v1::ApplyProcessesResponse>, Status> {
        self.0.read_barrier(false).await?;
        let machine = self.0.view.read();
        let results = check_apply(&machine.state, order).map_err(|refusal| refused(&refusal))?;
        let planned = |result: &Applied| {
            let spec = order.specs.iter().find(|spec| spec.name == result.name);
            let plan = preview(&machine.state, &result.name, spec.map(|spec| &**spec));
            v1::ApplyResult { plan: plan.iter().map(rollout::planned).collect(), ..applied(&machine.state, result) }
        };
        let results = results.iter().map(planned).collect();
        Ok(Response::new(v1::ApplyProcessesResponse { results, revision: machine.state.revision() }))
    }
}

fn stop_timeout(wire: &prost_types::Duration) -> Result<Duration, Status> {
    let timeout = duration_from_wire("timeout", wire)?;
    if limits::STOP_TIMEOUT.contains(&timeout) {
        return Ok(timeout);
    }
    let problem = format!("{} is out of range", humantime::format_duration(timeout));
    let fix = format!("write at most {}", humantime::format_duration(*limits::STOP_TIMEOUT.end()));
    Err(bad_field("timeout", problem, fix))
}

fn check_size(bytes: usize) -> Result<(), Status> {
    if bytes <= APPLY_BYTES {
        return Ok(());
    }
    let text = format!("specs: the request has {bytes} bytes; apply it in parts of at most {APPLY_BYTES}");
    let data = [("limit", APPLY_BYTES.to_string())];
    let data: Vec<(&str, &str)> = data.iter().map(|(key, value)| (*key, value.as_str())).collect();
    Err(status(Code::InvalidArgument, reason::REQUEST_TOO_LARGE, text, &data))
}

/// All specs, or every fault of all of them.
fn specs(wire: &[v1::ProcessSpec]) -> Result<Vec<ProcessSpec>, Status> {
    let mut specs = Vec::with_capacity(wire.len());
    let mut faults = Vec::new();
    for (n, spec) in wire.iter().enumerate() {
        let bytes = spec.encoded_len();
        if bytes > SPEC_BYTES {
            let name: String = spec.name.chars().take(100).collect();
            let text = format!("specs[{n}]: the spec of {name:?} has {bytes} bytes; write at most {SPEC_BYTES}");
            let data = [("process", name.as_str()), ("limit", &SPEC_BYTES.to_string())];
            return Err(status(Code::InvalidArgument, reason::REQUEST_TOO_LARGE, text, &data));
        }
        match spec_from_wire(spec) {
            Ok(spec) => specs.push(spec),
            Err(found) => faults.extend(found.into_iter().map(|fault| at(n, spec, fault))),
        }
    }
    if faults.is_empty() { Ok(specs) } else { Err(invalid(&faults)) }
}

/// A fault with the place of its spec in the request.
fn at(n: usize, spec: &v1::ProcessSpec, fault: Fault) -> Fault {
    let place = if spec.name.is_empty() { format!("specs[{n}]") } else { format!("processes.{}", spec.name) };
    Fault { field: format!("{place}.{}", fault.field), ..fault }
}

pub(super) fn applied(state: &State, result: &Applied) -> v1::ApplyResult {
    let outcome = match result.outcome {
        ApplyOutcome::Created => v1::ApplyOutcome::Created,
        ApplyOutcome::Updated => v1::ApplyOutcome::Updated,
        ApplyOutcome::Unchanged => v1::ApplyOutcome::Unchanged,
        ApplyOutcome::Pruned => v1::ApplyOutcome::Pruned,
    };
    let process = match result.outcome {
        ApplyOutcome::Pruned => None,
        ApplyOutcome::Created | ApplyOutcome::Updated | ApplyOutcome::Unchanged => state.processes().get(&result.name),
    };
    v1::ApplyResult {
        name: result.name.to_string(),
        outcome: outcome.into(),
        process: process.map(|process| answers::process(process)),
        plan: Vec::new(),
    }
}
