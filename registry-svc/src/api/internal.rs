//! What our own services have to have recorded.

use super::request::{check_text, record};
use super::status::bad_field;
use crate::core::Core;
use pm_proto::v1;
use pm_proto::v1::registry_internal_service_server::RegistryInternalService;
use registry_domain::{Denial, Order};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Attempts in one request: a gateway sends what came within a second, put
/// together.
const ATTEMPTS: usize = 100;
/// Names that an attempt may be about.
const TARGETS: usize = 100;
/// Longest text of an attempt.
const TEXT_BYTES: usize = 256;

pub(super) struct Api(pub(super) Arc<Core>);

#[tonic::async_trait]
impl RegistryInternalService for Api {
    async fn record_refusals(
        &self,
        request: Request<v1::RecordRefusalsRequest>,
    ) -> Result<Response<v1::RecordRefusalsResponse>, Status> {
        let attempts = &request.get_ref().attempts;
        if attempts.len() > ATTEMPTS {
            let problem = format!("there are {}", attempts.len());
            return Err(bad_field("attempts", problem, format!("write at most {ATTEMPTS}")));
        }
        let denials = attempts.iter().map(denial).collect::<Result<Vec<_>, _>>()?;
        if !denials.is_empty() {
            record(&self.0, &request, Order::RecordRefusals(denials)).await?;
        }
        Ok(Response::new(v1::RecordRefusalsResponse {}))
    }
}

fn denial(attempt: &v1::RefusedAttempt) -> Result<Denial, Status> {
    for (field, text) in [
        ("attempts.actor", &attempt.actor),
        ("attempts.source", &attempt.source),
        ("attempts.method", &attempt.method),
        ("attempts.reason", &attempt.reason),
        ("attempts.request_id", &attempt.request_id),
    ] {
        check_text(field, text, TEXT_BYTES)?;
    }
    for (field, text) in
        [("attempts.actor", &attempt.actor), ("attempts.method", &attempt.method), ("attempts.reason", &attempt.reason)]
    {
        if text.is_empty() {
            return Err(bad_field(field, "it is empty", "say who tried what, and why it was refused"));
        }
    }
    if attempt.targets.len() > TARGETS {
        let problem = format!("there are {}", attempt.targets.len());
        return Err(bad_field("attempts.targets", problem, format!("write at most {TARGETS}")));
    }
    attempt.targets.iter().try_for_each(|target| check_text("attempts.targets", target, TEXT_BYTES))?;
    Ok(Denial {
        actor: attempt.actor.clone(),
        source: attempt.source.clone(),
        method: attempt.method.clone(),
        targets: attempt.targets.clone(),
        reason: attempt.reason.clone(),
        request_id: attempt.request_id.clone(),
        count: attempt.count.max(1),
    })
}
