//! R17: the wall clock of one replica is a day behind. No election comes of it,
//! nothing is lost, whoever leads, and what is asked of it happens at the
//! leader's time.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{SystemTime, UNIX_EPOCH};
use system_tests::{Load, Plan, Sandbox, TermWatch, clock, rounds};

/// Writes that show that the load runs.
const SOME: usize = 100;
/// A machine that is busy for a moment elects nobody either.
const STEADY: [&str; 2] = ["--election-timeout", "5s"];
/// The one with the wrong clock.
const SKEWED: usize = 1;

#[test]
fn r17_a_wrong_clock_elects_nobody_and_loses_nothing() {
    let sandbox = Sandbox::new();
    let plan = Plan::new(&sandbox, 3).arguments(&STEADY).environment(SKEWED, clock::skewed("-1d"));
    let mut replicas = plan.start();
    let mut day = |i: usize| replicas.replica(i).said().chars().take(10).collect::<String>();
    assert!(day(SKEWED) < day(0), "invalid: its clock is right: {} {}", day(SKEWED), day(0));
    if replicas.wait_for_leader() == SKEWED {
        replicas.kill(SKEWED);
        let _ = replicas.wait_for_leader_other_than(Some(SKEWED));
        replicas.restart(SKEWED);
    }
    let terms = TermWatch::start(&replicas);
    let load = Load::of(8).start(&replicas);
    load.wait_for_successes(SOME, "at the beginning");
    let (leader, before) = (replicas.wait_for_leader(), replicas.term());
    load.wait_for_successes(rounds(4) * SOME, "with a wrong clock");
    assert_eq!((replicas.wait_for_leader(), replicas.term()), (leader, before));
    assert_ne!(leader, SKEWED, "invalid: nothing was forwarded by it");
    replicas.client(SKEWED).run_program("through-it", "true", 0).unwrap();
    let audit = replicas.client(leader).audit().unwrap();
    let entry = audit.iter().find(|entry| entry.targets == ["through-it"]).unwrap();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let age = now - entry.time.unwrap().seconds;
    assert!(age.abs() < 3_600, "it happened {age} s ago");
    // Whoever leads next: twice, so that it is the skewed one's turn or its vote that counts.
    for _ in 0..2 {
        let leader = replicas.wait_for_leader();
        replicas.kill(leader);
        let _ = replicas.wait_for_leader_other_than(Some(leader));
        load.wait_for_successes(SOME, "by the next leader");
        replicas.restart(leader);
    }
    let _ = load.finish().is_good();
    let _ = terms.finish();
    replicas.wait_until_equal();
}
