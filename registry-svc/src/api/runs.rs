//! Runs of what runs to an end: the newest of a process or of one instance.

use super::status::{bad_field, unknown};
use crate::core::Core;
use pm_proto::v1;
use process_model::{InstanceId, ProcessName};
use registry_domain::State;
use tonic::Status;

/// Runs in an answer, unless told otherwise.
const DEFAULT: usize = 100;
/// Most runs in an answer.
const MOST: u32 = 1_000;

pub(super) async fn list(core: &Core, request: &v1::ListRunsRequest) -> Result<v1::ListRunsResponse, Status> {
    let most = match request.limit {
        0 => DEFAULT,
        1..=MOST => request.limit as usize,
        more => return Err(bad_field("limit", format!("{more} is out of range"), "write 0 to 1000")),
    };
    core.read_barrier(request.stale).await?;
    let machine = core.view.read();
    let state = &machine.state;
    let instances = meant(state, &request.name).ok_or_else(|| unknown("process or instance", &request.name))?;
    let mut runs: Vec<(&InstanceId, &process_model::Run)> = (instances.iter())
        .filter_map(|id| state.runs_of(id))
        .flat_map(|runs| runs.runs.iter().rev().map(|run| (&runs.instance, run)))
        .collect();
    // Of several instances, those that were heard of last; a number says nothing across them.
    let when = |run: &process_model::Run| run.ended.max(run.began).max(run.due);
    if instances.len() > 1 && runs.len() > most {
        runs.sort_by_key(|(_, run)| std::cmp::Reverse(when(run)));
        runs.truncate(most);
        runs.sort_by_key(|(id, run)| (*id, std::cmp::Reverse(run.number)));
    }
    runs.truncate(most);
    Ok(v1::ListRunsResponse { runs: runs.into_iter().map(Into::into).collect(), revision: state.revision() })
}

/// The instances of a process of that name, else the one of that name.
fn meant(state: &State, name: &str) -> Option<Vec<InstanceId>> {
    let process: Option<ProcessName> = name.parse().ok();
    if let Some(process) = process.filter(|process| state.processes().contains_key(process)) {
        return Some(state.instances_of(&process).map(|instance| instance.id.clone()).collect());
    }
    let id: InstanceId = name.parse().ok()?;
    state.instances().contains_key(&id).then(|| vec![id])
}
