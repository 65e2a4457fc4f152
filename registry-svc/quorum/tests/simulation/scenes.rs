//! One fault at a time, each with what has to happen.

use crate::network::MS;
use crate::storm::replicas;
use crate::world::World;
use registry_quorum::ReplicaId;
use registry_quorum::elections::{HandOverEnd, Saw, Why};
use std::collections::BTreeSet;

/// A world with a leader of long standing, and who follows.
fn settled(count: u64, seed: u64) -> (World, ReplicaId, Vec<ReplicaId>) {
    let mut world = World::new(seed, &replicas(count));
    world.run_until(3_000, |world| world.leader().is_some()).expect("a first leader");
    world.run(3_000);
    let leader = world.leader().expect("it stays");
    let others = world.peers(leader);
    (world, leader, others)
}

fn only(id: ReplicaId) -> BTreeSet<ReplicaId> {
    BTreeSet::from([id])
}

fn isolate(world: &mut World, id: ReplicaId) {
    let (others, now) = (world.peers(id).into_iter().collect(), world.now);
    world.net.cut(&only(id), &others, now);
}

fn deafen(world: &mut World, id: ReplicaId) {
    for peer in world.peers(id) {
        world.net.block(peer, id, world.now);
    }
}

fn mute(world: &mut World, id: ReplicaId) {
    for peer in world.peers(id) {
        world.net.block(id, peer, world.now);
    }
}

/// Does it to a follower of 3 and of 5 for 5 s, mends it, and asks for the same leader of the same term throughout.
fn disturbs_nobody(what: fn(&mut World, ReplicaId)) {
    for (count, seed) in (0..8).flat_map(|seed| [(3, seed), (5, seed)]) {
        let (mut world, leader, others) = settled(count, seed);
        let term = world.term();
        what(&mut world, others[seed as usize % others.len()]);
        let gone = world.run_until(5_000, |world| world.leader() != Some(leader) || world.term() != term);
        assert_eq!(gone, None, "seed {seed} of {count}: the leader was lost");
        world.calm();
        let gone = world.run_until(3_000, |world| world.leader() != Some(leader) || world.term() != term);
        assert_eq!(gone, None, "seed {seed} of {count}: the leader was lost when the fault was mended");
    }
}

/// Does it to the leader and asks for another one in time; mended, the first one follows.
fn is_replaced(within: u64, what: fn(&mut World, ReplicaId)) {
    let mut slowest = 0;
    for (count, seed) in (0..8).flat_map(|seed| [(3, seed), (5, seed)]) {
        let (mut world, leader, _) = settled(count, seed);
        what(&mut world, leader);
        let took = world.run_until(within, |world| world.leader().is_some_and(|next| next != leader));
        slowest = slowest.max(took.unwrap_or_else(|| panic!("seed {seed} of {count}: nobody took over")));
        let next = world.leader();
        world.run(3_000);
        world.calm();
        world.run(3_000);
        assert!(next.is_some() && world.leader() == next, "seed {seed} of {count}: the next leader was lost");
        assert!(!world.nodes[&leader].leads(), "seed {seed} of {count}: the old one still leads");
    }
    println!("replaced after {slowest} ms at most");
}

#[test]
fn r08_a_rejoining_replica_disturbs_nobody() {
    disturbs_nobody(isolate);
}

#[test]
fn r08_a_deaf_replica_disturbs_nobody() {
    disturbs_nobody(deafen);
}

#[test]
fn r08_a_mute_replica_disturbs_nobody() {
    disturbs_nobody(mute);
}

#[test]
fn r08_a_replica_cut_off_from_the_leader_alone_disturbs_nobody() {
    disturbs_nobody(|world, id| {
        let leader = world.leader().expect("a leader");
        let now = world.now;
        world.net.cut(&only(id), &only(leader), now);
    });
}

#[test]
fn r03_a_restarted_replica_disturbs_nobody() {
    disturbs_nobody(|world, id| {
        world.kill(id);
        world.restart(id);
    });
}

#[test]
fn r06_a_replica_with_a_stalled_disk_disturbs_nobody() {
    disturbs_nobody(World::stall);
}

#[test]
fn r07_a_paused_replica_disturbs_nobody() {
    disturbs_nobody(World::pause);
}

#[test]
fn r08_a_leader_that_is_cut_off_is_replaced() {
    is_replaced(1_700, isolate);
}

#[test]
fn r08_a_deaf_leader_falls_silent_and_is_replaced() {
    is_replaced(2_700, deafen);
}

#[test]
fn r08_a_mute_leader_is_replaced() {
    is_replaced(1_700, mute);
}

#[test]
fn r06_a_leader_with_a_stalled_disk_is_replaced() {
    is_replaced(1_700, World::stall);
}

#[test]
fn r05_a_leader_with_a_full_disk_is_replaced_at_once() {
    is_replaced(250, |world, id| world.fill(id, true));
}

#[test]
fn r02_a_leader_that_is_back_before_anybody_dialled_is_replaced_at_once() {
    for seed in 0..20 {
        let (mut world, leader, _) = settled(3, seed);
        let term = world.term();
        world.kill(leader);
        world.restart(leader);
        let took = world.run_until(300, |world| world.leader().is_some() && world.term() > term);
        assert!(took.is_some(), "seed {seed}: nobody leads");
    }
}

#[test]
fn r07_when_all_sleep_and_wake_together_the_leader_stays() {
    for seed in 0..20 {
        let (mut world, leader, others) = settled(3, seed);
        let term = world.term();
        for id in others.iter().chain([&leader]) {
            world.pause(*id);
        }
        world.run(5_000);
        // The leader wakes last, which is the worst case.
        for id in others.iter().chain([&leader]) {
            world.resume(*id);
            world.run(3);
        }
        world.run(2_000);
        assert_eq!((world.leader(), world.term()), (Some(leader), term), "seed {seed}");
        assert!(world.seen.count("resumed the same term") > 0, "invalid: the leader did not doubt itself");
    }
}

#[test]
fn r05_when_all_disks_are_full_the_leader_goes_on_once_there_is_space() {
    let (mut world, leader, others) = settled(3, 1);
    let term = world.term();
    for id in others.iter().chain([&leader]) {
        world.fill(*id, true);
    }
    world.run(5_000);
    assert_eq!((world.leader(), world.term()), (None, term));
    assert_eq!(world.nodes[&leader].elections.suspended(), Some(Why::DiskFull));
    world.fill(leader, false);
    for id in others {
        world.fill(id, false);
    }
    assert!(world.run_until(1_000, |world| world.leader().is_some()).is_some());
}

#[test]
fn r08_a_leader_without_a_quorum_goes_on_in_its_term_when_the_others_are_back() {
    for seed in 0..20 {
        let (mut world, leader, others) = settled(3, seed);
        world.kill(others[0]);
        let now = world.now;
        world.net.cut(&only(leader), &only(others[1]), now);
        world.run(4_000);
        assert_eq!(world.nodes[&leader].elections.suspended(), Some(Why::NoQuorum), "seed {seed}");
        let now = world.now;
        world.net.heal(now);
        let took = world.run_until(1_000, |world| world.leader().is_some());
        assert!(took.is_some(), "seed {seed}: nobody leads though two of three are connected");
    }
}

#[test]
fn r08_replicas_that_were_all_alone_have_a_leader_soon_after() {
    for seed in 0..20 {
        let (mut world, leader, others) = settled(3, seed);
        for id in others.iter().chain([&leader]) {
            isolate(&mut world, *id);
        }
        world.run(10_000);
        let term = world.term();
        let now = world.now;
        world.net.heal(now);
        let took = world.run_until(1_000, |world| world.leader().is_some());
        assert!(took.is_some(), "seed {seed}");
        assert!(world.term() <= term + 2, "seed {seed}: terms were burned");
    }
}

#[test]
fn r09_slow_and_lossy_links_do_not_change_the_leader() {
    for (seed, loss) in (0..5).flat_map(|seed| [(seed, 0), (seed, 20)]) {
        let (mut world, _, _) = settled(3, seed);
        let term = world.term();
        world.net.rough(0, 200 * MS, loss, 5);
        world.run(60_000);
        assert!(world.term() <= term + 1, "seed {seed}, {loss} %: {} changes in a minute", world.term() - term);
    }
}

#[test]
fn after_a_power_cut_of_all_there_is_a_leader_after_one_election_timeout() {
    for (count, seed) in (0..8).flat_map(|seed| [(3, seed), (5, seed)]) {
        let (mut world, leader, others) = settled(count, seed);
        let ids: Vec<ReplicaId> = others.into_iter().chain([leader]).collect();
        ids.iter().for_each(|id| world.lose_host(*id));
        world.run(2_000);
        ids.iter().for_each(|id| world.restart(*id));
        let took = world.run_until(1_700, |world| world.leader().is_some());
        assert!(took.is_some(), "seed {seed} of {count}");
    }
}

#[test]
fn a_lone_replica_leads_at_once() {
    let mut world = World::new(1, &replicas(1));
    assert!(world.run_until(10, |world| world.leader().is_some()).is_some());
    let term = world.term();
    world.run(10_000);
    assert_eq!(world.term(), term);
}

#[test]
fn a_planned_hand_over_takes_20_ms_at_most() {
    for count in [3, 5] {
        let mut slowest = 0;
        for seed in 0..50 {
            let (mut world, leader, others) = settled(count, seed);
            let to = others[seed as usize % others.len()];
            world.see(leader, Saw::HandOverAsked { to: (seed % 2 == 0).then_some(to) });
            let took = world.run_until(500, |world| world.leader().is_some_and(|next| next != leader));
            slowest = slowest.max(took.unwrap_or_else(|| panic!("seed {seed}: the leader stayed")));
            assert_eq!(world.ends, [HandOverEnd::Done]);
            assert!(seed % 2 != 0 || world.leader() == Some(to), "seed {seed}: somebody else leads");
            assert_eq!(world.seen.count("stood by the leader's wish"), 1);
        }
        println!("hand-over, {count} replicas: {slowest} ms at most");
        assert!(slowest <= 20);
    }
}

#[test]
fn a_hand_over_to_a_dead_replica_ends_and_the_leader_goes_on() {
    let (mut world, leader, others) = settled(3, 1);
    world.lose_host(others[0]);
    world.see(leader, Saw::HandOverAsked { to: Some(others[0]) });
    let took = world.run_until(1_000, |world| !world.ends.is_empty());
    assert!(took.is_some_and(|took| took <= 510), "{took:?}");
    assert_ne!(world.ends, [HandOverEnd::Done]);
    assert!(world.leader() == Some(leader) && !world.nodes[&leader].holding);
    world.see(leader, Saw::HandOverAsked { to: Some(ReplicaId(9)) });
    assert_eq!(world.ends.last(), Some(&HandOverEnd::NoHeir));
}
