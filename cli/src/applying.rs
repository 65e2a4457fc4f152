//! Makes the stored processes those of some specs.

use crate::connection::Connection;
use crate::error::Failure;
use pm_proto::convert::spec_to_wire;
use pm_proto::v1::{ApplyProcessesRequest, ApplyProcessesResponse};
use process_model::ProcessSpec;
use std::collections::BTreeMap;

/// How specs are applied.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// Where they come from.
    pub source: &'static str,
    /// Whether what came from there before and is not among them goes.
    pub prune: bool,
    /// Whether only to say what would change.
    pub dry_run: bool,
    /// Why.
    pub reason: String,
    /// Expected generation by name; 0: it must not exist.
    pub generations: BTreeMap<String, u64>,
}

/// Applies specs.
///
/// # Errors
/// The server refuses.
pub async fn apply(
    connection: &Connection,
    what: &str,
    specs: &[ProcessSpec],
    manner: &Manner,
) -> Result<ApplyProcessesResponse, Failure> {
    let request = ApplyProcessesRequest {
        specs: specs.iter().map(spec_to_wire).collect(),
        source: manner.source.to_owned(),
        prune: manner.prune,
        validate_only: manner.dry_run,
        request_id: uuid::Uuid::new_v4().to_string(),
        reason: manner.reason.clone(),
        generations: manner.generations.clone(),
        ..ApplyProcessesRequest::default()
    };
    let mut processes = connection.processes();
    connection.call(what, processes.apply_processes(request)).await
}
