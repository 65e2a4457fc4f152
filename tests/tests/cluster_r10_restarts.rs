//! R10: any replica is restarted at any moment, in order or not, under load.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Bound, Dice, Load, Replicas, Sandbox, TermWatch, rounds};

/// Writes that show that the load runs.
const SOME: usize = 30;
/// Without a replica that ended in order.
const IN_ORDER: Bound = Bound::of_millis(250);
/// Without one that was killed.
const KILLED: Bound = Bound::of_millis(500);

#[test]
fn r10_restarts_of_any_replica_are_hardly_felt() {
    let sandbox = Sandbox::new();
    let mut dice = Dice::of_run("r10");
    let mut replicas = Replicas::start(&sandbox, 3);
    let terms = TermWatch::start(&replicas);
    let load = Load::of(8).seeded(&mut dice).start(&replicas);
    let mut felt = Vec::new();
    for round in 0..rounds(8) {
        load.wait_for_successes(SOME, "before a restart");
        // The leader each fourth time, whoever it is.
        let victim = if round % 4 == 0 { replicas.wait_for_leader() } else { dice.below(3) };
        let began = load.now();
        let in_order = dice.below(2) == 0;
        if in_order {
            let end = replicas.stop(victim);
            assert_eq!(end.code, 0, "{}", end.said);
            assert!(!end.said.contains("after the grace period"), "it waited for the others: {}", end.said);
        } else {
            replicas.kill(victim);
        }
        load.wait_for_successes(SOME, "without it");
        felt.push((in_order, began, load.now()));
        replicas.restart(victim);
    }
    let record = load.finish();
    let proof = record.is_good();
    assert!(proof.acknowledged > felt.len() * SOME, "{proof:?}");
    for (in_order, bound, what) in [(true, IN_ORDER, "that ended in order"), (false, KILLED, "that was killed")] {
        let of_kind = felt.iter().filter(|(kind, ..)| *kind == in_order);
        let without = of_kind.map(|(_, from, to)| record.gaps().longest_within(*from, *to));
        bound.holds_mostly(&format!("r10: the longest time without success without one {what}"), without);
    }
    let _ = terms.finish();
    replicas.wait_until_equal();
}
