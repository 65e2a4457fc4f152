//! R07: the leader stands still for longer than an election, and goes on. It
//! shows nobody an old state and has nothing accepted.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Bound, Dice, Load, Replicas, Sandbox, TermWatch, rounds, until};

/// Writes that show that the load runs.
const SOME: usize = 60;
/// Until clients of the others succeed again: silence is believed after a
/// second.
const FELT: Bound = Bound::of_millis(2_000);

#[test]
fn r07_a_leader_that_was_paused_shows_nothing_old() {
    let sandbox = Sandbox::new();
    let mut dice = Dice::of_run("r07");
    let mut replicas = Replicas::start(&sandbox, 3);
    let terms = TermWatch::start(&replicas);
    // Many readers on few keys: an old answer is soon one too many.
    let load = Load { keys: 4, ..Load::of(8) }.seeded(&mut dice).start(&replicas);
    let mut felt = Vec::new();
    for _ in 0..rounds(2) {
        load.wait_for_successes(SOME, "before the pause");
        let leader = replicas.wait_for_leader();
        let before = replicas.term();
        let paused = load.now();
        replicas.pause(leader);
        let next = replicas.wait_for_leader_other_than(Some(leader));
        load.wait_for_successes(SOME, "during the pause");
        felt.push((paused, load.now()));
        let term = replicas.status(next).map_or(0, |status| status.term);
        assert!(next != leader && term > before, "invalid: nobody else was elected");
        replicas.cont(leader);
        until("the old leader follows", || {
            replicas.status(leader).is_some_and(|status| status.term >= term && status.leader_id != status.id)
                || replicas.leader() == Some(leader)
        });
        load.wait_for_successes(SOME, "after the pause");
    }
    let record = load.finish();
    let _ = record.is_good();
    for (from, to) in felt {
        FELT.holds("r07: the longest time without success", record.gaps().longest_within(from, to));
    }
    let _ = terms.finish();
    replicas.wait_until_equal();
}
