//! Introductions and plans.

use super::Malformed;
use crate::peers::Introduced;
use pm_proto::v1;
use pm_proto::v1::introduce_response::Condition as Wire;
use registry_quorum::ReplicaId;
use registry_quorum::founding::{Condition, Founder, FoundingPlan, Introduction};
use std::collections::BTreeMap;

pub(in crate::peers) fn introduced_into(introduced: Introduced) -> v1::IntroduceResponse {
    let Introduced { is, epoch, id, version } = introduced;
    let condition = match is.condition {
        Condition::Fresh => Wire::Fresh(v1::FreshReplica {}),
        Condition::Planned(plan) => Wire::Planned(plan_into(plan)),
        Condition::Founded { cluster, members } => Wire::Founded(v1::FoundedReplica {
            cluster_id: cluster,
            epoch,
            replica_id: id.map_or(0, |id| id.0),
            members: founders_into(members),
        }),
    };
    v1::IntroduceResponse {
        address: is.address,
        store_id: is.store,
        replicas: u32::try_from(is.replicas).unwrap_or(u32::MAX),
        condition: Some(condition),
        version,
    }
}

pub(in crate::peers) fn introduced_from(response: v1::IntroduceResponse) -> Result<Introduced, Malformed> {
    let v1::IntroduceResponse { address, store_id, replicas, condition, version } = response;
    let (condition, epoch, id) = match condition.ok_or(Malformed::Missing("condition"))? {
        Wire::Fresh(v1::FreshReplica {}) => (Condition::Fresh, 0, None),
        Wire::Planned(plan) => (Condition::Planned(plan_from(plan)), 0, None),
        Wire::Founded(v1::FoundedReplica { cluster_id, epoch, replica_id, members }) => {
            let founded = Condition::Founded { cluster: cluster_id, members: founders_from(members) };
            (founded, epoch, Some(ReplicaId(replica_id)))
        }
    };
    let replicas =
        usize::try_from(replicas).map_err(|_| Malformed::Range { field: "replicas", value: u64::from(replicas) })?;
    Ok(Introduced { is: Introduction { address, store: store_id, replicas, condition }, epoch, id, version })
}

pub(in crate::peers) fn plan_into(plan: FoundingPlan) -> v1::FoundingPlan {
    v1::FoundingPlan { cluster_id: plan.cluster, founders: founders_into(plan.founders) }
}

pub(in crate::peers) fn plan_from(plan: v1::FoundingPlan) -> FoundingPlan {
    FoundingPlan { cluster: plan.cluster_id, founders: founders_from(plan.founders) }
}

fn founders_into(founders: BTreeMap<ReplicaId, Founder>) -> BTreeMap<u64, v1::Founder> {
    let one =
        |(id, founder): (ReplicaId, Founder)| (id.0, v1::Founder { address: founder.address, store_id: founder.store });
    founders.into_iter().map(one).collect()
}

fn founders_from(founders: BTreeMap<u64, v1::Founder>) -> BTreeMap<ReplicaId, Founder> {
    let one = |(id, founder): (u64, v1::Founder)| {
        (ReplicaId(id), Founder { address: founder.address, store: founder.store_id })
    };
    founders.into_iter().map(one).collect()
}
