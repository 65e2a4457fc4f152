//! R10: a cluster grows, shrinks and gets new members for dead ones, under load
//! and while its leaders are killed; nothing acknowledged is lost, and nobody
//! leads beside another.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1;
use std::collections::BTreeSet;
use std::time::Instant;
use system_tests::{DEADLINE, Load, Plan, RegistryClient, Replicas, Sandbox, TermWatch, until};
use tonic::{Code, Status};

/// Writes that show that the load runs.
const SOME: usize = 30;
/// A machine that is busy for a moment elects nobody: a new term is somebody's doing.
const STEADY: [&str; 2] = ["--election-timeout", "3s"];
/// What a replica ends with that is no member any more: sysexits(3), EX_CONFIG.
const NOT_OURS: i32 = 78;

fn cluster(replicas: &Replicas) -> Vec<RegistryClient> {
    replicas.running().into_iter().map(|i| replicas.patient_client(i)).collect()
}

/// Asks any replica until one has done it: a leader may die in the middle.
#[track_caller]
fn until_done<T>(replicas: &Replicas, what: &str, ask: impl Fn(&RegistryClient) -> Result<T, Status>) -> T {
    let began = Instant::now();
    loop {
        for client in cluster(replicas) {
            match ask(&client) {
                Ok(done) => return done,
                Err(status) => {
                    assert!(began.elapsed() < DEADLINE, "{what}: {status:?}{}", replicas.told());
                    let passes = [Code::Unavailable, Code::FailedPrecondition, Code::Cancelled, Code::Unknown];
                    assert!(passes.contains(&status.code()), "{what}: {status:?}");
                }
            }
        }
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
}

fn join(client: &RegistryClient, id: u64, replaces_id: u64) -> Result<Vec<u64>, Status> {
    let request = v1::JoinMemberRequest { id, replaces_id, ..Default::default() };
    client.wait(client.cluster().join_member(request)).map(|answer| answer.into_inner().voter_ids)
}

fn remove(client: &RegistryClient, id: u64) -> Result<Vec<u64>, Status> {
    let request = v1::RemoveMemberRequest { id, ..Default::default() };
    client.wait(client.cluster().remove_member(request)).map(|answer| answer.into_inner().voter_ids)
}

fn transfer(client: &RegistryClient, id: u64) -> Result<u64, Status> {
    let request = v1::TransferLeadershipRequest { id, ..Default::default() };
    client.wait(client.cluster().transfer_leadership(request)).map(|answer| answer.into_inner().leader_id)
}

fn voters(replicas: &Replicas) -> BTreeSet<u64> {
    let leader = replicas.wait_for_leader();
    let status = replicas.status(leader).unwrap_or_default();
    status.members.iter().filter(|member| member.voter).map(|member| member.id).collect()
}

/// Starts a replica that joins, and waits until it takes part under a number.
#[track_caller]
fn start_joining(replicas: &mut Replicas, place: usize, flag: &str) -> u64 {
    replicas.replica(place).set_arguments(&[flag]);
    replicas.replica(place).spawn();
    replicas.replica(place).wait_until_ready();
    let id = replicas.status(place).expect("it serves").id;
    assert_ne!(id, 0);
    id
}

#[test]
fn r10_a_cluster_grows_from_one_to_three_to_five_and_shrinks_to_three_while_leaders_die() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 1).joiners(&sandbox, 4).arguments(&STEADY).start();
    let terms = TermWatch::start(&replicas);
    let load = Load::of(4).start(&replicas);
    load.wait_for_successes(SOME, "alone");

    // One to three: they vote by themselves.
    for place in [1, 2] {
        let id = start_joining(&mut replicas, place, "--join=voter");
        assert_eq!(id, place as u64 + 1);
        until("it votes", || voters(&replicas).contains(&id));
        load.wait_for_successes(SOME, "with one more");
    }
    assert_eq!(voters(&replicas), BTreeSet::from([1, 2, 3]));

    // Three to five: an operator says so; a leader dies before each.
    for place in [3, 4] {
        let id = start_joining(&mut replicas, place, "--join");
        assert!(!voters(&replicas).contains(&id), "it has no vote before somebody says so");
        let leader = replicas.wait_for_leader();
        replicas.kill(leader);
        let now = until_done(&replicas, "join", |client| join(client, id, 0));
        assert!(now.contains(&id), "{now:?}");
        load.wait_for_successes(SOME, "without the leader that was");
        replicas.restart(leader);
    }
    assert_eq!(voters(&replicas), (1..=5).collect());

    // Five to three: the leader itself goes first, then whoever leads then.
    let mut left = BTreeSet::new();
    for _ in 0..2 {
        let leader = replicas.wait_for_leader();
        let id = replicas.status(leader).unwrap().id;
        let now = until_done(&replicas, "remove", |client| remove(client, id));
        assert!(!now.contains(&id), "{now:?}");
        // It is told, and ends.
        replicas.replica(leader).is_refused(&[NOT_OURS], &["was removed", "--join"]);
        load.wait_for_successes(SOME, "without the one that left");
        left.insert(leader);
    }
    let stay: Vec<usize> = replicas.places().into_iter().filter(|place| !left.contains(place)).collect();
    assert_eq!(voters(&replicas).len(), 3);
    // Started again as it is, it is turned away again, and disturbs nobody.
    let term = replicas.term();
    let gone = *left.iter().next().unwrap();
    replicas.replica(gone).spawn();
    replicas.replica(gone).is_refused(&[NOT_OURS], &["was removed"]);
    assert_eq!(replicas.term(), term);

    let proof = load.finish().is_good();
    assert!(proof.acknowledged > 8 * SOME, "{proof:?}");
    let _ = terms.finish();
    replicas.wait_until_equal_at(&stay);
}

#[test]
fn r10_a_dead_replica_is_replaced_in_one_change_and_its_number_is_never_given_again() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 3).joiners(&sandbox, 2).start();
    let load = Load::of(4).start(&replicas);
    load.wait_for_successes(SOME, "at the beginning");
    let dead = (replicas.wait_for_leader() + 1) % 3;
    let old = replicas.status(dead).unwrap().id;
    replicas.kill(dead);
    load.wait_for_successes(SOME, "without it");
    let new = start_joining(&mut replicas, 3, "--join");
    assert_eq!(new, 4);
    let now = until_done(&replicas, "replace", |client| join(client, new, old));
    assert_eq!(now.len(), 3);
    assert!(now.contains(&new) && !now.contains(&old), "{now:?}");
    // Saying it again changes nothing.
    assert_eq!(until_done(&replicas, "replace", |client| join(client, new, old)), now);
    load.wait_for_successes(SOME, "with the new one");
    // What was dead comes back, and is told.
    replicas.replica(dead).spawn();
    replicas.replica(dead).is_refused(&[NOT_OURS], &["was removed", "--join"]);
    // The same machine, empty: another number.
    replicas.wipe(dead);
    assert_eq!(start_joining(&mut replicas, dead, "--join"), 5);
    let _ = load.finish().is_good();
    replicas.wait_until_equal_at(&[0, 1, 2, 3]);
}

#[test]
fn r10_what_would_stop_the_cluster_is_refused_and_leadership_goes_where_it_is_sent() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 3);
    let leader = replicas.wait_for_leader();
    let (first, second) = ((leader + 1) % 3, (leader + 2) % 3);
    let ids: Vec<u64> = replicas.places().into_iter().map(|i| replicas.status(i).unwrap().id).collect();

    // Asked of a follower, done by the leader.
    let client = replicas.patient_client(first);
    assert_eq!(transfer(&client, ids[second]).unwrap(), ids[second]);
    assert_eq!(replicas.wait_for_leader(), second);
    assert_eq!(transfer(&client, 9).unwrap_err().code(), Code::InvalidArgument);

    replicas.kill(leader);
    let health = until_done(&replicas, "health", |client| {
        let health = client.health()?;
        // One of the two who live may be slow for a moment.
        let alarms: Vec<&str> = health.alarms.iter().map(|alarm| alarm.reason.as_str()).collect();
        let expected = alarms == ["NO_MARGIN", "REPLICA_UNREACHABLE"];
        if expected { Ok(health) } else { Err(Status::unavailable(format!("{alarms:?}"))) }
    });
    let seen = health.replicas.iter().find(|replica| replica.id == ids[leader]).unwrap();
    assert!(!seen.reachable && seen.version == env!("CARGO_PKG_VERSION"), "{seen:?}");
    // With one dead, the other two are the majority: neither may go.
    let refused = remove(&replicas.patient_client(first), ids[first]).unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    assert!(refused.message().contains("replace the dead ones first"), "{refused:?}");
    // The dead one may.
    let now = until_done(&replicas, "remove", |client| remove(client, ids[leader]));
    assert_eq!(now.len(), 2);
    assert!(replicas.status(second).unwrap().members.len() == 2);
}
