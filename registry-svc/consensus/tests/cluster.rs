//! Replicas that elect, commit, fail over, hand over and catch up, on real
//! logs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use registry_consensus::{HandOverEnd, ProposeFault, ReplicaId};
use std::time::{Duration, Instant};
use support::{Cluster, PATIENCE, Replica, word};

fn words(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("word {n}")).collect()
}

async fn say(cluster: &Cluster, id: u64, said: &[String]) {
    for text in said {
        cluster.replica(id).consensus.propose(word(text)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_elect_a_leader_and_apply_the_same_words() {
    let cluster = Cluster::found(3).await;
    let leader = cluster.leader().await;
    let said = words(0..50);
    say(&cluster, leader, &said).await;
    cluster.all_have(&said).await;
    for id in (1..=3).filter(|id| *id != leader) {
        let refused = cluster.replica(id).consensus.propose(word("no")).await.unwrap_err();
        assert_eq!(refused, ProposeFault::NotLeader { leader: Some(ReplicaId(leader)) });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_replica_leads_at_once_and_again_after_a_restart() {
    let mut cluster = Cluster::found(1).await;
    let said = words(0..3);
    say(&cluster, 1, &said).await;
    let before = cluster.replica(1).consensus.standing().borrow().term;
    cluster.kill(1).await;
    cluster.start(1).await;
    assert_eq!(cluster.leader().await, 1);
    cluster.all_have(&said).await;
    assert!(cluster.replica(1).consensus.standing().borrow().term > before, "it went on in the same term");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_dies_another_one_goes_on_with_everything_that_was_acknowledged() {
    let mut cluster = Cluster::found(3).await;
    let mut said = Vec::new();
    for round in 0..5 {
        let leader = cluster.leader().await;
        let more = words(round * 10..round * 10 + 10);
        say(&cluster, leader, &more).await;
        said.extend(more);
        let killed = Instant::now();
        cluster.kill(leader).await;
        let next = cluster.leader().await;
        assert_ne!(next, leader);
        let text = format!("after {round}");
        say(&cluster, next, std::slice::from_ref(&text)).await;
        println!("round {round}: {leader} died, {next} acknowledged after {:?}", killed.elapsed());
        said.push(text);
        cluster.start(leader).await;
        cluster.all_have(&said).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_is_handed_over_to_whom_it_was_asked_for() {
    let cluster = Cluster::found(3).await;
    for _ in 0..4 {
        let leader = cluster.leader().await;
        say(&cluster, leader, &words(0..3)).await;
        let heir = leader % 3 + 1;
        let term = cluster.replica(leader).consensus.standing().borrow().term;
        let began = Instant::now();
        let end = cluster.replica(leader).consensus.hand_over(Some(ReplicaId(heir))).await;
        println!("{leader} -> {heir}: {end} after {:?}", began.elapsed());
        assert_eq!(end, HandOverEnd::Done);
        assert_eq!(cluster.leader_since(term + 1).await, heir);
    }
    let end = cluster.replica(cluster.leader().await).consensus.hand_over(Some(ReplicaId(9))).await;
    assert_eq!(end, HandOverEnd::NoHeir);
}

/// A barrier that nobody had time for within two seconds is asked for again.
async fn barrier(replica: &Replica) {
    let began = Instant::now();
    loop {
        let asked = Instant::now();
        let Err(fault) = replica.consensus.read_barrier().await else { return };
        assert!(asked.elapsed() > Duration::from_secs(1) && began.elapsed() < PATIENCE, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_barrier_on_any_replica_sees_what_was_acknowledged_before() {
    let cluster = Cluster::found(3).await;
    let leader = cluster.leader().await;
    let mut said = Vec::new();
    for text in words(0..30) {
        say(&cluster, leader, std::slice::from_ref(&text)).await;
        said.push(text);
        for replica in cluster.replicas.values() {
            barrier(replica).await;
            assert_eq!(replica.journal.words(), said);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_away_for_long_catches_up_by_a_snapshot() {
    let mut cluster = Cluster::found(3).await;
    let leader = cluster.leader().await;
    let away = leader % 3 + 1;
    cluster.kill(away).await;
    let said: Vec<String> = (0..200).map(|n| format!("{n} {}", "x".repeat(2_000))).collect();
    let leader = cluster.leader().await;
    say(&cluster, leader, &said).await;
    let consensus = &cluster.replica(leader).consensus;
    let mut applied = consensus.applied();
    while consensus.reached().purged.is_none() {
        consensus.propose(word("more")).await.unwrap();
        applied.changed().await.unwrap();
    }
    cluster.start(away).await;
    let all = cluster.replica(leader).journal.words();
    cluster.replica(away).journal.wait_for(&all).await;
    assert!(cluster.replica(away).consensus.reached().snapshot.is_some(), "it came without a snapshot");
}
