//! R05: the disk of the leader, or of a follower, is full. The cluster goes on
//! or refuses, nothing hangs, and it recovers by itself once there is room.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Bound, DEADLINE, Disk, Load, Plan, Replicas, Sandbox, until};

/// Writes that show that the load runs.
const SOME: usize = 40;
/// Room for two segments, the reserve, and a state with all its generations: only the victim is to be short of it.
const BYTES: u64 = 1 << 30;
/// Until clients succeed again, by another leader or by this one.
const FELT: Bound = Bound::of_millis(5_000);

fn full(victim: impl Fn(&Replicas) -> usize) {
    let sandbox = Sandbox::new();
    let disks: Vec<Disk> = (0..3).map(|i| Disk::new(sandbox.path(), &format!("disk-{i}"), BYTES)).collect();
    let plan = Plan::new(&sandbox, 3);
    let plan = (0..3).fold(plan, |plan, i| plan.directory(i, &disks[i].path().join("data")));
    let mut replicas = plan.start();
    // Values that come to the end of a segment, and so to the need for room.
    let load = Load { bytes: 48 << 10, ..Load::of(8) }.start(&replicas);
    load.wait_for_successes(SOME, "before the disk is full");

    let victim = victim(&replicas);
    let ballast = disks[victim].fill(0);
    let refused = std::fs::write(disks[victim].path().join("more"), [7; 64 << 10]);
    assert!(refused.is_err(), "invalid: there is room on the full disk");
    let filled = load.now();
    // More than two segments hold: whoever writes needs room that there is not.
    load.wait_for_successes(800, "while a disk is full");
    let felt = (filled, load.now());
    drop(ballast);

    // What ended said why, and is started by whoever supervises it.
    if let Some(end) = (!replicas.replica(victim).is_running()).then(|| replicas.replica(victim).wait_for_end(DEADLINE))
    {
        assert!(end.code != 0 && end.said.to_lowercase().contains("space"), "{} {}", end.code, end.said);
        replicas.replica(victim).spawn();
    }
    until("the replica with the full disk is back", || {
        let ends = |i: usize| replicas.status(i).map(|status| (status.leader_id, status.term));
        ends(victim).is_some_and(|(leader, _)| leader != 0) && (0..3).all(|i| ends(i) == ends(victim))
    });
    load.wait_for_successes(SOME, "after there is room again");
    let record = load.finish();
    let _ = record.is_good();
    FELT.holds("r05: the longest time without success", record.gaps().longest_within(felt.0, felt.1));
    replicas.wait_until_equal();
}

#[test]
fn r05_a_full_disk_of_the_leader_stops_nobody_for_long() {
    full(Replicas::wait_for_leader);
}

#[test]
fn r05_a_full_disk_of_a_follower_stops_nobody() {
    full(|replicas| (replicas.wait_for_leader() + 1) % 3);
}
