//! Specs that a process has had: which, what differs, and the way back.
//! Nothing that is read here holds a secret.

use super::process::applied;
use super::request::{Mutation, page, place, unexpected};
use super::status::{bad_field, refused, unknown};
use crate::core::Core;
use pm_proto::convert::{spec_to_wire, timestamp_to_wire};
use pm_proto::error::{reason, status};
use pm_proto::v1;
use process_model::ProcessName;
use process_model::change::{changes, masked};
use registry_domain::{Generation, Order, Refusal, Reply, Rollback, State};
use service_host::trace_context::traceparent_of_current_span;
use std::borrow::Cow;
use tonic::{Code, Request, Status};

pub(super) async fn list(
    core: &Core,
    request: &v1::ListGenerationsRequest,
) -> Result<v1::ListGenerationsResponse, Status> {
    let most = page(request.page_size)?;
    let before = place(&request.page_token)?.unwrap_or(u64::MAX);
    core.read_barrier(request.stale).await?;
    let machine = core.view.read();
    let kept = kept(&machine.state, &request.name)?;
    let mut older = kept.iter().rev().filter(|one| one.generation < before).peekable();
    let generations: Vec<v1::Generation> = older.by_ref().take(most).map(|one| summary(&machine.state, one)).collect();
    let next = generations.last().filter(|_| older.peek().is_some()).map(|one| one.generation.to_string());
    let next_page_token = next.unwrap_or_default();
    Ok(v1::ListGenerationsResponse { generations, next_page_token, revision: machine.state.revision() })
}

pub(super) async fn get(core: &Core, request: &v1::GetGenerationRequest) -> Result<v1::GetGenerationResponse, Status> {
    core.read_barrier(request.stale).await?;
    let machine = core.view.read();
    let kept = kept(&machine.state, &request.name)?;
    let generation = find(&kept, request.generation)?;
    let spec = masked(&generation.spec)
        .ok_or_else(|| status(Code::Internal, reason::INTERNAL, "the spec cannot be shown without its secrets", &[]))?;
    let generation = v1::Generation { spec: Some(spec_to_wire(&spec)), ..summary(&machine.state, generation) };
    Ok(v1::GetGenerationResponse { generation: Some(generation), revision: machine.state.revision() })
}

pub(super) async fn diff(
    core: &Core,
    request: &v1::GetProcessDiffRequest,
) -> Result<v1::GetProcessDiffResponse, Status> {
    core.read_barrier(request.stale).await?;
    let machine = core.view.read();
    let kept = kept(&machine.state, &request.name)?;
    let to = find(&kept, request.to)?;
    let from = match request.from {
        0 => kept.iter().rev().find(|one| one.generation < to.generation).map(Cow::as_ref),
        from => Some(find(&kept, from)?),
    };
    Ok(v1::GetProcessDiffResponse {
        from: from.map(|from| summary(&machine.state, from)),
        to: Some(summary(&machine.state, to)),
        changes: changes(from.map(|from| &*from.spec), &to.spec).iter().map(Into::into).collect(),
        revision: machine.state.revision(),
    })
}

pub(super) async fn rollback(
    core: &Core,
    request: &Request<v1::RollbackProcessRequest>,
) -> Result<v1::RollbackProcessResponse, Status> {
    let body = request.get_ref();
    let mutation = Mutation::new("rollback", request, &body.request_id, &body.reason)?;
    let process: ProcessName = body
        .name
        .parse()
        .map_err(|fault: process_model::InvalidName| bad_field("name", fault.fault, "write the name of one process"))?;
    let order = Rollback {
        process,
        to: (body.to != 0).then_some(body.to),
        expected: body.expected_generation,
        traceparent: traceparent_of_current_span().unwrap_or_default(),
    };
    let reply = mutation.run(core, Order::Rollback(order)).await?;
    let Reply::Applied { results, revision } = &reply else { return Err(unexpected(&reply)) };
    let machine = core.view.read();
    let result = results.first().map(|result| applied(&machine.state, result));
    Ok(v1::RollbackProcessResponse { result, revision: *revision })
}

type Kept<'a> = Vec<Cow<'a, Generation>>;

/// Everything that is kept of a name; at least one.
fn kept<'a>(state: &'a State, name: &str) -> Result<Kept<'a>, Status> {
    let process: ProcessName = name.parse().map_err(|_| unknown("process", name))?;
    let kept = state.generations(&process);
    if kept.is_empty() { Err(unknown("process", name)) } else { Ok(kept) }
}

/// A generation by its number; 0: the newest.
fn find<'a>(kept: &'a Kept<'a>, wanted: u64) -> Result<&'a Generation, Status> {
    let found = match wanted {
        0 => kept.last(),
        wanted => kept.iter().find(|one| one.generation == wanted),
    };
    found.map(Cow::as_ref).ok_or_else(|| {
        let number = |one: Option<&Cow<'_, Generation>>| one.map_or(0, |one| one.generation);
        let process = kept.first().map(|one| one.process.to_string()).unwrap_or_default();
        let (oldest, newest) = (number(kept.first()), number(kept.last()));
        refused(&Refusal::NoGeneration { process, wanted, oldest, newest })
    })
}

fn summary(state: &State, generation: &Generation) -> v1::Generation {
    let current = state.processes().get(&generation.process).map(|process| process.generation);
    v1::Generation {
        process: generation.process.to_string(),
        generation: generation.generation,
        spec: None,
        revision: generation.revision,
        time: Some(timestamp_to_wire(generation.time)),
        actor: generation.actor.clone(),
        reason: generation.reason.clone(),
        source: generation.source.clone(),
        origin: generation.origin.clone(),
        restored_from: generation.restored.unwrap_or(0),
        current: current == Some(generation.generation),
    }
}
