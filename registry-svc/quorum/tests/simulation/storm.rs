//! Hundreds of seeds: 15 virtual seconds of misfortune, then calm, then a
//! leader in bounded time who stays.

use crate::checks::Seen;
use crate::network::MS;
use crate::world::World;
use registry_quorum::{ReplicaId, Voters};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// From the last fault to a leader with a committed entry, in virtual milliseconds: an election timeout of silence,
/// then a few rounds.
const LEADER_AFTER_CALM: u64 = 3_000;

pub fn replicas(count: u64) -> Voters {
    Voters::of((1..=count).map(ReplicaId))
}

/// A change that stands half-way: five replicas, two overlapping halves.
fn joint() -> Voters {
    let half = |ids: &[u64]| ids.iter().map(|id| ReplicaId(*id)).collect::<BTreeSet<_>>();
    Voters::of_halves([half(&[1, 2, 3]), half(&[3, 4, 5])])
}

/// What happened, and how long the liveness phase took.
fn storm(seed: u64) -> (Seen, u64) {
    let voters = match seed % 5 {
        0 => joint(),
        1 | 2 => replicas(5),
        _ => replicas(3),
    };
    let mut world = World::new(seed, &voters);
    if seed % 7 == 3 {
        // Disks that take 20 ms for an fsync.
        world.nodes.values_mut().for_each(|node| node.fsync = 20 * MS);
    }
    world.run(1_500);
    let end = world.now + 15_000 * MS;
    while world.now < end {
        world.misfortune();
        let pause = 20 + world.chance.up_to(700);
        world.run(pause);
    }
    world.calm();
    if world.trace {
        println!("calm at {} ms", world.now / MS);
    }
    let took = world.run_until(LEADER_AFTER_CALM, |world| world.leader().is_some());
    let took = took.unwrap_or_else(|| panic!("nobody leads {LEADER_AFTER_CALM} ms after the last fault"));
    // Who hears of a leader late may still have reason to doubt; after that nothing may happen any more.
    world.run(1_000);
    let (leader, term) = (world.leader(), world.term());
    world.run(4_000);
    assert_eq!((world.leader(), world.term()), (leader, term), "the leader changed without a fault");
    (world.seen, took)
}

/// Faults that stay with a minority without the leader: whatever they are, the leader and the term stay.
fn minority_storm(seed: u64) -> Seen {
    let count = if seed.is_multiple_of(2) { 3 } else { 5 };
    let mut world = World::new(seed, &replicas(count));
    assert!(world.run_until(3_000, |world| world.leader().is_some()).is_some());
    world.run(3_000);
    let (leader, term) = (world.leader().expect("it stays"), world.term());
    let start = world.chance.up_to(count - 2) as usize;
    let peers = world.peers(leader);
    let troubled: Vec<ReplicaId> = peers.iter().cycle().skip(start).take(count as usize / 2).copied().collect();
    let end = world.now + 15_000 * MS;
    while world.now < end {
        let id = troubled[world.chance.up_to(troubled.len() as u64 - 1) as usize];
        world.misfortune_of(id, false);
        let pause = 20 + world.chance.up_to(1_500);
        world.run(pause);
        assert_eq!((world.leader(), world.term()), (Some(leader), term), "a minority disturbed the leader");
    }
    world.calm();
    world.run(3_000);
    assert_eq!((world.leader(), world.term()), (Some(leader), term), "a minority that returned disturbed the leader");
    world.seen
}

fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("PM_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("PM_SIM_SEEDS").unwrap_or(300)).collect(),
    }
}

/// Runs every seed, on two threads; the first that fails is told in one line that repeats it.
fn each<T: Send>(test: &str, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let seeds = seeds();
    let (even, odd): (Vec<u64>, Vec<u64>) = seeds.iter().partition(|seed| *seed % 2 == 0);
    let batch = |seeds: Vec<u64>| {
        let tried = seeds.into_iter().map(|seed| catch_unwind(AssertUnwindSafe(|| run(seed))).map_err(|_| seed));
        tried.collect::<Result<Vec<T>, u64>>()
    };
    let (even, odd) = std::thread::scope(|scope| {
        let even = scope.spawn(|| batch(even));
        (batch(odd), even.join().expect("the batch catches what fails"))
    });
    match (even, odd) {
        (Ok(even), Ok(odd)) => even.into_iter().chain(odd).collect(),
        (Err(seed), _) | (_, Err(seed)) => {
            panic!("PM_SIM_SEED={seed} cargo test -p registry-quorum --test simulation {test}")
        }
    }
}

/// A run in which a fault never happened proves nothing about it.
fn assert_seen(seen: &Seen, faults: &[&str]) {
    println!("{:#?}", seen.counts);
    if seeds().len() > 100 {
        let missing: Vec<&&str> = faults.iter().filter(|fault| seen.count(fault) == 0).collect();
        assert!(missing.is_empty(), "invalid: never happened: {missing:?}");
    }
}

#[test]
fn r02_r06_r07_r08_r09_r17_one_leader_a_term_and_somebody_leads_after_the_storm() {
    let runs = each("r02_r06", storm);
    let mut seen = Seen::default();
    runs.iter().for_each(|run| seen.add(&run.0));
    let mut waits: Vec<u64> = runs.iter().map(|run| run.1).collect();
    waits.sort_unstable();
    let (p50, max) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!("{} seeds, leader after calm: p50 {p50} ms, max {max} ms", waits.len());
    let faults = [
        "killed",
        "hosts lost",
        "restarted",
        "paused",
        "disk stalled",
        "disk full",
        "isolated",
        "deaf",
        "mute",
        "one pair cut",
        "split",
        "rough",
        "hand-over asked",
        "dials refused",
        "suspended without a quorum",
        "suspended with a stalled disk",
        "suspended with a full disk",
        "resumed the same term",
        "resumed, superseded",
        "stood",
        "stood by the leader's wish",
    ];
    assert_seen(&seen, &faults);
}

#[test]
fn r08_r17_a_minority_in_any_trouble_never_raises_a_term() {
    let mut seen = Seen::default();
    each("r08_r17", minority_storm).iter().for_each(|run| seen.add(run));
    let faults = [
        "killed",
        "hosts lost",
        "restarted",
        "paused",
        "disk stalled",
        "disk full",
        "isolated",
        "deaf",
        "mute",
        "one pair cut",
    ];
    assert_seen(&seen, &faults);
}

#[test]
fn a_seed_repeats_itself() {
    for seed in 0..5 {
        let (one, two) = (storm(seed), storm(seed));
        assert_eq!((one.0.counts, one.1), (two.0.counts, two.1));
    }
}
