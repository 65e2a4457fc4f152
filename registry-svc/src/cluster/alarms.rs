//! From how the replicas fare to what is wrong, and what to do about it. Pure.

use pm_proto::convert::timestamp_from_wire;
use pm_proto::v1::{AlarmSeverity, ClusterAlarm, ReplicaHealth, ReplicaRole};
use process_model::Timestamp;
use registry_consensus::{ReplicaId, Voters};
use registry_domain::Brake;
use registry_quorum::members::Advice;
use std::collections::BTreeSet;
use std::time::Duration;

/// Entries; so many take seconds to send, and a replica that lacks them has stood still.
const LAGS: u64 = 10_000;
/// A disk whose flushes take so long on average is felt in every write.
const SLOW_FLUSH_US: u64 = 100_000;
/// What clocks that are kept right differ by at most, with the time that the answer takes.
const SKEW: Duration = Duration::from_secs(2);

/// What was seen.
pub(super) struct Seen<'a> {
    pub(super) replicas: &'a [ReplicaHealth],
    pub(super) leader: Option<&'a ReplicaHealth>,
    pub(super) voters: &'a Voters,
    /// Who gets a vote by itself.
    pub(super) wanting: BTreeSet<u64>,
    pub(super) now: Timestamp,
    pub(super) election_timeout: Duration,
    /// Nothing of lost nodes is placed elsewhere.
    pub(super) brake: Option<&'a Brake>,
}

/// What is wrong, the worst first.
pub(super) fn alarms(seen: &Seen<'_>) -> Vec<ClusterAlarm> {
    let mut alarms = Vec::new();
    cluster(seen, &mut alarms);
    seen.replicas.iter().for_each(|replica| one(seen, replica, &mut alarms));
    alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.severity));
    alarms
}

fn alarm(severity: AlarmSeverity, reason: &str, replica_id: u64, message: String) -> ClusterAlarm {
    ClusterAlarm { severity: severity.into(), reason: reason.to_owned(), replica_id, message }
}

fn cluster(seen: &Seen<'_>, alarms: &mut Vec<ClusterAlarm>) {
    let answers: BTreeSet<ReplicaId> =
        seen.replicas.iter().filter(|one| one.reachable).map(|one| ReplicaId(one.id)).collect();
    let mut tell = |severity, reason, message| alarms.push(alarm(severity, reason, 0, message));
    let has_majority = seen.voters.majority(|id| answers.contains(&id));
    match (seen.leader, has_majority) {
        (_, false) => tell(
            AlarmSeverity::Critical,
            "NO_QUORUM",
            "no majority of the voters answers: nothing can be written; start the missing replicas, or, if their disks \
             are lost, run `pmctl cluster recover`"
                .to_owned(),
        ),
        (None, true) => tell(
            AlarmSeverity::Critical,
            "NO_LEADER",
            format!("nobody leads; an election takes {:?} and more: look again", seen.election_timeout),
        ),
        (Some(_), true) => {}
    }
    if let Some(brake) = seen.brake {
        let text = format!(
            "{} of {} nodes were lost at once: nothing that they have is placed elsewhere; look what they have in common, \
             or run `pmctl nodes release-brake` if they are gone for good",
            brake.lost, brake.nodes
        );
        tell(AlarmSeverity::Critical, "BRAKE", text);
    }
    let voters = seen.voters.target();
    let margin = voters.iter().filter(|id| answers.contains(id)).count();
    if has_majority && voters.len() > 2 && margin == voters.len() / 2 + 1 {
        let text = "the next replica that fails stops the cluster: start or replace those that do not answer";
        tell(AlarmSeverity::Warning, "NO_MARGIN", text.to_owned());
    }
    if seen.voters.is_joint() {
        let text =
            "a change of the voters is under way; it is finished by itself once a majority of both halves answers";
        tell(AlarmSeverity::Warning, "CHANGE_UNDER_WAY", text.to_owned());
    }
    if let Some(advice) = Advice::on(voters.len()) {
        tell(AlarmSeverity::Advice, "VOTERS", advice.to_string());
    }
    let versions: BTreeSet<&str> =
        seen.replicas.iter().map(|one| one.version.as_str()).filter(|version| !version.is_empty()).collect();
    if versions.len() > 1 {
        let versions: Vec<&str> = versions.into_iter().collect();
        tell(AlarmSeverity::Advice, "VERSIONS", format!("versions differ: {}; upgrade the rest", versions.join(", ")));
    }
}

fn one(seen: &Seen<'_>, replica: &ReplicaHealth, alarms: &mut Vec<ClusterAlarm>) {
    let id = replica.id;
    let mut tell = |severity, reason, message| alarms.push(alarm(severity, reason, id, message));
    if !replica.reachable {
        let place = if replica.address.is_empty() { "nobody knows where it is" } else { &replica.address };
        tell(
            AlarmSeverity::Warning,
            "REPLICA_UNREACHABLE",
            format!(
                "replica {id} ({place}) does not answer: {}; start it, or replace it with a fresh one: --join, then \
                 `pmctl cluster join NEW --replaces {id}`",
                replica.fault
            ),
        );
        return;
    }
    if !replica.suspended.is_empty() {
        let text = format!("replica {id} leads and cannot act on it: {}", replica.suspended);
        tell(AlarmSeverity::Critical, "LEADER_SUSPENDED", text);
    }
    if replica.role() != ReplicaRole::Leader && replica.lag.is_some_and(|lag| lag > LAGS) {
        let text = format!("replica {id} lacks {} entries; is its disk or its network slow?", replica.lag.unwrap_or(0));
        tell(AlarmSeverity::Warning, "REPLICA_LAGS", text);
    }
    if !replica.voter && !seen.wanting.contains(&id) {
        let text = format!("replica {id} has no vote; run `pmctl cluster join {id}` to give it one");
        tell(AlarmSeverity::Advice, "NO_VOTE", text);
    }
    disk(replica, &mut tell);
    let time = replica.time.as_ref().and_then(|time| timestamp_from_wire("time", time).ok());
    if let Some(apart) = time.map(|time| Duration::from_nanos(time.0.abs_diff(seen.now.0))).filter(|d| *d > SKEW) {
        let text = format!("the clock of replica {id} differs by {} s from here: set both right", apart.as_secs());
        tell(AlarmSeverity::Warning, "CLOCK_SKEW", text);
    }
}

fn disk(replica: &ReplicaHealth, tell: &mut impl FnMut(AlarmSeverity, &'static str, String)) {
    let id = replica.id;
    let Some(disk) = &replica.disk else { return };
    match disk.condition.as_str() {
        "low" => {
            tell(AlarmSeverity::Warning, "DISK_LOW", format!("the disk of replica {id} is nearly full: make room"))
        }
        "full" => tell(AlarmSeverity::Warning, "DISK_FULL", format!("the disk of replica {id} is full: make room")),
        "stalled" => tell(
            AlarmSeverity::Warning,
            "DISK_STALLED",
            format!("the disk of replica {id} does not finish its writes: look at the machine"),
        ),
        "failed" => tell(AlarmSeverity::Warning, "DISK_FAILED", format!("the disk of replica {id} failed: replace it")),
        _ if disk.flush_mean_us > SLOW_FLUSH_US => tell(
            AlarmSeverity::Warning,
            "DISK_SLOW",
            format!("a flush of the disk of replica {id} takes {} ms on average", disk.flush_mean_us / 1_000),
        ),
        // Well, or a condition that a later version knows.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(id: u64) -> ReplicaHealth {
        let time = Some(pm_proto::convert::timestamp_to_wire(Timestamp(1_000_000_000_000)));
        ReplicaHealth { id, reachable: true, voter: true, version: "1".into(), time, ..ReplicaHealth::default() }
    }

    fn told(replicas: &[ReplicaHealth]) -> Vec<(AlarmSeverity, String, u64)> {
        let voters = Voters::of(replicas.iter().filter(|one| one.voter).map(|one| ReplicaId(one.id)));
        let leader = replicas.iter().find(|one| one.role() == ReplicaRole::Leader);
        let seen = Seen {
            replicas,
            leader,
            voters: &voters,
            wanting: BTreeSet::from([9]),
            now: Timestamp(1_000_000_000_000),
            election_timeout: Duration::from_secs(1),
            brake: None,
        };
        alarms(&seen).into_iter().map(|one| (one.severity(), one.reason.clone(), one.replica_id)).collect()
    }

    fn three() -> Vec<ReplicaHealth> {
        let leader = ReplicaHealth { role: ReplicaRole::Leader.into(), ..replica(1) };
        vec![leader, replica(2), replica(3)]
    }

    fn warning(reason: &str, id: u64) -> (AlarmSeverity, String, u64) {
        (AlarmSeverity::Warning, reason.to_owned(), id)
    }

    #[test]
    fn a_cluster_that_is_well_has_no_alarm() {
        assert_eq!(told(&three()), []);
    }

    #[test]
    fn the_worst_comes_first() {
        let mut replicas = three();
        replicas[1].reachable = false;
        assert_eq!(told(&replicas), [warning("NO_MARGIN", 0), warning("REPLICA_UNREACHABLE", 2)]);
        replicas[2].reachable = false;
        assert_eq!(told(&replicas)[0], (AlarmSeverity::Critical, "NO_QUORUM".to_owned(), 0));
        let mut replicas = three();
        replicas[0].role = ReplicaRole::Follower.into();
        assert_eq!(told(&replicas), [(AlarmSeverity::Critical, "NO_LEADER".to_owned(), 0)]);
    }

    #[test]
    fn each_replica_s_trouble_is_named() {
        let mut replicas = three();
        replicas[1].lag = Some(LAGS + 1);
        let full = pm_proto::v1::ReplicaDisk { condition: "full".into(), ..Default::default() };
        replicas[2].disk = Some(full);
        replicas[2].time = Some(pm_proto::convert::timestamp_to_wire(Timestamp(1_010_000_000_000)));
        let learner = |id| ReplicaHealth { voter: false, ..replica(id) };
        replicas.extend([learner(4), learner(9)]);
        let advice = (AlarmSeverity::Advice, "NO_VOTE".to_owned(), 4);
        let wanted = [warning("REPLICA_LAGS", 2), warning("DISK_FULL", 3), warning("CLOCK_SKEW", 3), advice];
        assert_eq!(told(&replicas), wanted);
    }
}
