//! How long nobody leads: figures in virtual time, with the default settings,
//! on a network of 1 ms.

use crate::network::{MS, Micros};
use crate::node::Life;
use crate::storm::replicas;
use crate::world::World;

struct Spread {
    p50: u64,
    p99: u64,
    max: u64,
}

/// From the end of the leader to the next one with a committed entry.
fn measure(count: u64, fsync: Micros, writes: Option<Micros>, end: fn(&mut World)) -> Spread {
    let mut gaps: Vec<u64> = (0..100).map(|seed| gap(seed, count, fsync, writes, end)).collect();
    gaps.sort_unstable();
    Spread { p50: gaps[50], p99: gaps[98], max: gaps[99] }
}

fn gap(seed: u64, count: u64, fsync: Micros, writes: Option<Micros>, end: fn(&mut World)) -> u64 {
    let mut world = World::new(seed, &replicas(count));
    world.nodes.values_mut().for_each(|node| node.fsync = fsync);
    world.writes = writes;
    world.run_until(3_000, |world| world.leader().is_some()).expect("a first leader");
    // Somewhere between two heartbeats.
    let moment = 1_000 + world.chance.up_to(400);
    world.run(moment);
    let (leader, term) = (world.leader().expect("a leader"), world.term());
    end(&mut world);
    let gap = world.run_until(5_000, |world| world.leader().is_some_and(|next| next != leader));
    assert_ne!(world.nodes[&leader].life, Life::Runs, "invalid: the leader was not ended");
    let gap = gap.unwrap_or_else(|| panic!("nobody leads after the leader's end: seed {seed}"));
    assert!(world.term() <= term + 3, "seed {seed} needed {} terms", world.term() - term);
    gap
}

fn kill_leader(world: &mut World) {
    if let Some(leader) = world.leader() {
        world.kill(leader);
    }
}

fn lose_leader(world: &mut World) {
    if let Some(leader) = world.leader() {
        world.lose_host(leader);
    }
}

fn pause_leader(world: &mut World) {
    if let Some(leader) = world.leader() {
        world.pause(leader);
    }
}

#[test]
fn r02_after_kill_9_of_the_leader_somebody_leads_within_half_a_second() {
    for (count, load) in [(3, None), (3, Some(5 * MS)), (5, None), (5, Some(5 * MS))] {
        let spread = measure(count, MS, load, kill_leader);
        let load = if load.is_some() { "under load" } else { "idle" };
        println!("killed, {count} replicas, {load}: p50 {} p99 {} max {} ms", spread.p50, spread.p99, spread.max);
        assert!(spread.p50 <= 250 && spread.max <= 500);
    }
}

#[test]
fn r02_after_kill_9_on_disks_with_20_ms_fsync_somebody_leads_within_half_a_second() {
    for count in [3, 5] {
        let spread = measure(count, 20 * MS, Some(30 * MS), kill_leader);
        println!("killed, {count} replicas, 20 ms fsync: p50 {} p99 {} max {} ms", spread.p50, spread.p99, spread.max);
        assert!(spread.p50 <= 250 && spread.max <= 500);
    }
}

#[test]
fn r07_r08_a_leader_that_falls_silent_is_replaced_soon_after_the_election_timeout() {
    for (what, end) in [("host lost", lose_leader as fn(&mut World)), ("paused", pause_leader)] {
        let spread = measure(3, MS, Some(10 * MS), end);
        println!("{what}, 3 replicas: p50 {} p99 {} max {} ms", spread.p50, spread.p99, spread.max);
        assert!(spread.max <= 1_600);
    }
}
