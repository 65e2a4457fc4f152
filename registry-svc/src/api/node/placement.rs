//! Why instances are where they are → messages.

use pm_proto::v1;
use process_model::spec::PlacementStrategy;
use process_model::{InstanceId, ProcessName};
use registry_domain::State;
use registry_domain::placement::{Candidate, explain};

/// Instances and nodes in an answer: enough for every decision that somebody
/// makes by looking at them.
const ROWS: usize = 1_000;

/// What is known of a process, or of one of its instances; `None`: there is
/// neither.
pub(super) fn explained(state: &State, name: &str) -> Option<v1::GetPlacementResponse> {
    let process = name.parse::<ProcessName>().ok().filter(|name| state.processes().contains_key(name));
    let (process, index) = match process {
        Some(process) => (process, None),
        None => {
            let id: InstanceId = name.parse().ok()?;
            state.instances().get(&id)?;
            (id.process, Some(id.index))
        }
    };
    let told = explain(state, &process, index)?;
    let strategy = match told.strategy {
        PlacementStrategy::Spread => v1::PlacementStrategy::Spread,
        PlacementStrategy::BinPack => v1::PlacementStrategy::BinPack,
    };
    let instances = told.instances.into_iter().take(ROWS).map(|one| v1::PlacedInstance {
        id: one.instance.to_string(),
        node: one.node.map(|node| node.to_string()).unwrap_or_default(),
        why: one.why,
    });
    Some(v1::GetPlacementResponse {
        process: told.process.to_string(),
        strategy: strategy.into(),
        spread_by: told.spread_by.unwrap_or_default(),
        daemon: told.daemon,
        instances: instances.collect(),
        node_count: u32::try_from(told.nodes.len()).unwrap_or(u32::MAX),
        nodes: told.nodes.into_iter().take(ROWS).map(candidate).collect(),
        exclusions: (told.excluded.into_iter())
            .map(|(reason, nodes)| v1::PlacementExclusion { reason, nodes })
            .collect(),
        revision: state.revision(),
    })
}

fn candidate(one: Candidate) -> v1::PlacementCandidate {
    v1::PlacementCandidate {
        node: one.node.to_string(),
        exclusion: one.exclusion.map(|why| why.to_string()).unwrap_or_default(),
        own: one.own,
        instances: one.instances,
        spread_value: one.spread_value.unwrap_or_default(),
        spread_own: one.spread_own,
        free_cpu_millis: one.free_cpu_millis,
        free_memory_bytes: one.free_memory,
        fullness: u32::try_from(one.fullness).unwrap_or(u32::MAX),
    }
}
