//! R06: syncs that take long move the leadership; a sync that fails ends the
//! process, which comes back clean.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Bound, DEADLINE, Dice, Injection, Load, Replicas, Sandbox, until};

/// Writes that show that the load runs.
const SOME: usize = 40;
/// Until clients succeed again, after the leader's disk began to stall.
const MOVED: Bound = Bound::of_millis(3_000);

#[test]
fn r06_a_leader_whose_syncs_take_seconds_hands_over() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 3);
    let load = Load::of(8).start(&replicas);
    load.wait_for_successes(SOME, "before the stall");
    let leader = replicas.wait_for_leader();
    let pid = replicas.replica(leader).pid();
    let began = load.now();
    let injection = Injection::into(pid, "fdatasync:delay_exit=5000000", sandbox.path());
    let next = replicas.wait_for_leader_other_than(Some(leader));
    load.wait_for_successes(SOME, "by another leader");
    let felt = (began, load.now());
    until("a sync was slow", || injection.hits() > 0);
    drop(injection);
    until("all follow one leader", || (0..3).all(|i| replicas.status(i).is_some_and(|s| s.leader_id != 0)));
    load.wait_for_successes(SOME, "after the stall");
    let record = load.finish();
    let _ = record.is_good();
    assert_ne!(next, leader);
    MOVED.holds("r06: the longest time without success", record.gaps().longest_within(felt.0, felt.1));
    replicas.wait_until_equal();
}

#[test]
fn r06_a_sync_that_fails_ends_the_process_and_nothing_else() {
    let sandbox = Sandbox::new();
    let mut dice = Dice::of_run("r06");
    let mut replicas = Replicas::start(&sandbox, 3);
    let load = Load::of(8).seeded(&mut dice).start(&replicas);
    for victim in [replicas.wait_for_leader(), dice.below(3)] {
        load.wait_for_successes(SOME, "before the fault");
        let pid = replicas.replica(victim).pid();
        let injection = Injection::into(pid, "fdatasync:error=EIO:when=1", sandbox.path());
        let end = replicas.replica(victim).wait_for_end(DEADLINE);
        assert!(injection.hits() > 0, "invalid: no sync failed");
        assert_ne!(end.code, 0, "{}", end.said);
        drop(injection);
        load.wait_for_successes(SOME, "without it");
        replicas.restart(victim);
    }
    let _ = load.finish().is_good();
    replicas.wait_until_equal();
}
