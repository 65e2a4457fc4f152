//! R03: a replica dies in the middle of a step on disk, wherever that is. It
//! comes back by itself, and the cluster has lost nothing.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{DEADLINE, Dice, Load, Replicas, Sandbox, rounds};

/// Writes that show that the load runs.
const SOME: usize = 30;
/// SIGABRT, as a shell tells it.
const ABORTED: i32 = 134;

/// When a point is come to.
#[derive(Clone, Copy, PartialEq)]
enum Reached {
    /// By writing.
    Load,
    /// By starting.
    Start,
    /// By voting for another leader.
    Election,
}

/// As registry-svc/log/src/failpoint.rs has them; the number is the most that
/// are passed before.
const POINTS: &[(&str, Reached, usize)] = &[
    ("append.before", Reached::Load, 40),
    ("append.after", Reached::Load, 40),
    ("group.torn", Reached::Load, 40),
    ("sync.before", Reached::Load, 40),
    ("mark.before", Reached::Load, 2),
    ("mark.torn", Reached::Load, 2),
    ("mark.after", Reached::Load, 2),
    ("head.before", Reached::Start, 1),
    ("head.after", Reached::Start, 1),
    ("open.marked", Reached::Start, 1),
    ("vote.before", Reached::Election, 1),
    ("vote.after", Reached::Election, 1),
];

#[test]
fn r03_a_crash_at_any_step_on_disk_loses_nothing() {
    let sandbox = Sandbox::new();
    let mut dice = Dice::of_run("r03");
    let mut replicas = Replicas::start(&sandbox, 3);
    let load = Load::of(8).seeded(&mut dice).start(&replicas);
    let begin = dice.below(POINTS.len());
    // Five steps on from one to the next come to all of the twelve.
    for round in 0..rounds(6) {
        let (point, reached, most) = POINTS[(begin + 5 * round) % POINTS.len()];
        load.wait_for_successes(SOME, "before a crash");
        let victim = match reached {
            Reached::Load | Reached::Start => dice.below(3),
            // Who led takes its vote back when it starts again, and would die of that before it votes for anybody.
            Reached::Election => (replicas.wait_for_leader() + 1 + dice.below(2)) % 3,
        };
        let armed = format!("{point}:{}:abort", 1 + dice.below(most));
        println!("r03: place {victim}, {armed}");
        replicas.kill(victim);
        replicas.replica(victim).set_environment(&[("PM_FAIL_POINT", &armed)]);
        replicas.replica(victim).spawn();
        let mut others = Vec::new();
        if reached == Reached::Election {
            replicas.replica(victim).wait_until_ready();
            let leader = replicas.wait_for_leader();
            if leader != victim {
                replicas.kill(leader);
                others.push(leader);
            }
        }
        let end = replicas.replica(victim).end_within(DEADLINE);
        let end = end.unwrap_or_else(|| panic!("invalid: {armed} was not come to"));
        assert_eq!(end.code, ABORTED, "{armed}: {}", end.said);
        replicas.replica(victim).set_environment(&[]);
        for place in others.into_iter().chain([victim]) {
            replicas.restart(place);
        }
        load.wait_for_successes(SOME, "after a crash");
    }
    let _ = load.finish().is_good();
    replicas.wait_until_equal();
}
