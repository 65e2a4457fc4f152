//! How every replica fares, asked of each over its link, all at once.

use super::alarms::{Seen, alarms};
use crate::core::Core;
use crate::home::health::DiskHealth;
use crate::machine::MemoryMachine;
use crate::peers::Progress;
use futures::future::join_all;
use pm_proto::convert::timestamp_to_wire;
use pm_proto::v1;
use pm_proto::v1::peer_service_client::PeerServiceClient;
use registry_consensus::{Machine as _, Position, ReplicaId, Role};
use registry_domain::Mode;
use registry_log::{Histogram, Log};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// So long each replica may take.
const WITHIN: Duration = Duration::from_millis(500);

/// How far this replica has come, for every hello.
pub(crate) fn progress(log: Arc<Log>, machine: Arc<MemoryMachine>) -> impl Fn() -> Progress + Send + Sync + 'static {
    move || {
        let extent = log.extent();
        let own = |at: registry_log::Position| Position { term: at.term, index: at.index };
        // A snapshot of the leader's may be ahead of the log.
        let last = [extent.last.map(own), extent.purged.map(own), machine.applied().at];
        let last = last.into_iter().flatten().max_by_key(|at| at.index);
        Progress { term: log.vote().map_or(0, |vote| vote.term), last }
    }
}

/// How this replica fares.
pub(crate) fn own_health(core: &Core) -> v1::GetReplicaStatusResponse {
    let standing = core.consensus.standing().borrow().clone();
    let reached = core.consensus.reached();
    let identity = core.links.identity();
    let index = |at: Option<Position>| at.map_or(0, |at| at.index);
    let replica = v1::ReplicaHealth {
        id: standing.me.0,
        address: core.options.advertise.clone(),
        role: role(standing.role).into(),
        voter: standing.members.voters.target().contains(&standing.me),
        reachable: true,
        term: standing.term,
        leader_id: standing.leader.map_or(0, |leader| leader.0),
        last_log_index: index(reached.last),
        applied_index: index(reached.applied),
        revision: core.view.read().state.revision(),
        version: identity.version.clone(),
        feature_level: identity.level.into(),
        boot: identity.boot,
        store_id: identity.store.clone(),
        disk: Some(disk(core)),
        time: Some(timestamp_to_wire(core.now())),
        suspended: standing.suspended.map(|why| why.to_string()).unwrap_or_default(),
        snapshot_index: index(reached.snapshot),
        purged_index: index(reached.purged),
        ..Default::default()
    };
    let leads = standing.role == Role::Leader;
    let matched = reached.matched.iter().filter(|_| leads);
    let silent = reached.silent.iter().filter(|_| leads);
    v1::GetReplicaStatusResponse {
        replica: Some(replica),
        matched_indexes: matched.map(|(id, at)| (id.0, at.unwrap_or(0))).collect(),
        silence_ms: silent.map(|(id, since)| (id.0, u64::try_from(since.as_millis()).unwrap_or(u64::MAX))).collect(),
    }
}

fn role(role: Role) -> v1::ReplicaRole {
    match role {
        Role::Learner => v1::ReplicaRole::Learner,
        Role::Follower => v1::ReplicaRole::Follower,
        Role::Candidate => v1::ReplicaRole::Candidate,
        Role::Leader => v1::ReplicaRole::Leader,
    }
}

fn disk(core: &Core) -> v1::ReplicaDisk {
    let condition = match *core.disk.borrow() {
        DiskHealth::Well => "well",
        DiskHealth::Low => "low",
        DiskHealth::Full => "full",
        DiskHealth::Stalled(_) => "stalled",
        DiskHealth::Failed => "failed",
    };
    let figures = core.log.figures();
    v1::ReplicaDisk {
        condition: condition.to_owned(),
        log_bytes: figures.disk_bytes,
        flush_mean_us: figures.syncs.sum_micros.checked_div(figures.syncs.count).unwrap_or(0),
        flush_p99_us: p99(&figures.syncs),
        free_bytes: core.log.free_bytes().unwrap_or(0),
    }
}

/// The bound of the class in which the 99th of 100 lies.
fn p99(histogram: &Histogram) -> u64 {
    let wanted = histogram.count - histogram.count / 100;
    let mut seen = 0;
    for (class, count) in histogram.classes.iter().enumerate() {
        seen += count;
        if seen >= wanted {
            return Histogram::bound(class).min(histogram.longest_micros);
        }
    }
    histogram.longest_micros
}

/// How every replica fares, and what is wrong.
pub(crate) async fn health(core: &Core) -> v1::GetClusterHealthResponse {
    let standing = core.consensus.standing().borrow().clone();
    let ids = standing.members.all();
    let asked = join_all(ids.iter().map(|id| ask(core, *id))).await;
    let answers: BTreeMap<ReplicaId, Result<v1::GetReplicaStatusResponse, String>> =
        ids.into_iter().zip(asked).collect();
    let leader = answers
        .values()
        .filter_map(|answer| answer.as_ref().ok())
        .filter(|answer| answer.replica.as_ref().is_some_and(|replica| replica.role() == v1::ReplicaRole::Leader))
        .max_by_key(|answer| answer.replica.as_ref().map(|replica| replica.term))
        .cloned();
    let replicas: Vec<v1::ReplicaHealth> = (answers.into_iter())
        .map(|(id, answer)| with_leaders_view(core, id, answer, leader.as_ref()))
        .map(|replica| v1::ReplicaHealth {
            voter: standing.members.voters.target().contains(&ReplicaId(replica.id)),
            ..replica
        })
        .collect();
    let (removed, wanting, brake) = {
        let replicated = core.view.read();
        let rows = replicated.state.members().values();
        let removed: Vec<u64> = rows.clone().filter(|row| row.gone.is_some()).map(|row| row.id).collect();
        let brake = replicated.state.meta().brake.clone();
        (removed, rows.filter(|row| row.votes).map(|row| row.id).collect(), brake)
    };
    let leads = leader.as_ref().and_then(|answer| answer.replica.as_ref());
    let seen = Seen {
        replicas: &replicas,
        leader: leads,
        voters: &standing.members.voters,
        wanting,
        now: core.now(),
        election_timeout: core.options.election_timeout,
        brake: brake.as_deref(),
    };
    let meta = core.view.read().state.meta().clone();
    let mode = match meta.mode {
        Mode::Normal => v1::RegistryMode::Normal,
        Mode::KeepUnknown => v1::RegistryMode::KeepUnknown,
        Mode::Observe { .. } => v1::RegistryMode::Observe,
    };
    v1::GetClusterHealthResponse {
        mode: mode.into(),
        feature_level: u32::from(meta.level()),
        cluster_id: meta.cluster_id,
        epoch: core.links.identity().fence.epoch,
        id: standing.me.0,
        leader_id: leads.map_or(0, |leader| leader.id),
        term: replicas.iter().map(|replica| replica.term).max().unwrap_or(0),
        alarms: alarms(&seen),
        replicas,
        removed_ids: removed,
    }
}

pub(super) async fn ask(core: &Core, id: ReplicaId) -> Result<v1::GetReplicaStatusResponse, String> {
    if id == core.links.identity().id() {
        return Ok(own_health(core));
    }
    let channel = core.links.channel(id).map_err(|fault| fault.to_string())?;
    let mut client = PeerServiceClient::new(channel);
    match tokio::time::timeout(WITHIN, client.get_replica_status(v1::GetReplicaStatusRequest {})).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(format!("{}: {}", status.code(), status.message())),
        Err(_) => Err(format!("no answer within {} ms", WITHIN.as_millis())),
    }
}

fn with_leaders_view(
    core: &Core,
    id: ReplicaId,
    answer: Result<v1::GetReplicaStatusResponse, String>,
    leader: Option<&v1::GetReplicaStatusResponse>,
) -> v1::ReplicaHealth {
    let mut health = match answer {
        Ok(answer) => answer.replica.unwrap_or_default(),
        Err(fault) => v1::ReplicaHealth { fault, ..known(core, id) },
    };
    let end = leader.and_then(|leader| leader.replica.as_ref()).map(|replica| (replica.id, replica.last_log_index));
    if let (Some(leader), Some((leads, last))) = (leader, end) {
        let matched = if leads == id.0 { Some(last) } else { leader.matched_indexes.get(&id.0).copied() };
        health.matched_index = matched;
        health.lag = matched.map(|matched| last.saturating_sub(matched));
        health.silence_ms = if leads == id.0 { Some(0) } else { leader.silence_ms.get(&id.0).copied() };
    }
    health
}

/// What is written down of a replica that does not answer.
fn known(core: &Core, id: ReplicaId) -> v1::ReplicaHealth {
    let row = core.view.read().state.members().get(&id.0).cloned();
    let row = row.as_deref().cloned().unwrap_or_default();
    v1::ReplicaHealth {
        id: id.0,
        address: core.address_of(id),
        version: row.version,
        feature_level: row.level.into(),
        boot: row.boot,
        store_id: row.store,
        ..Default::default()
    }
}
