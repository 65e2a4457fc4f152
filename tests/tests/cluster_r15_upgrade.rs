//! R15: a rolling upgrade under load. Replicas of two versions work together;
//! what only the later one knows is refused until every replica has it, and
//! then it is there by itself. There is no way back: a replica that meets what
//! it does not know ends and says so, and the others go on.
//!
//! The earlier version is this one, told to know no more than level 1.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::error::{reason, reason_of};
use system_tests::{Load, Plan, Replicas, Sandbox, until};

/// Writes that show that the load runs.
const SOME: usize = 40;
/// How an earlier version is started.
const EARLIER: [&str; 2] = ["--feature-level-max", "1"];
/// Configuration that cannot be right: sysexits(3), EX_CONFIG.
const NOT_KNOWN: i32 = 78;

/// Why a replica refuses what only the later version knows, and in words.
fn refusal(replicas: &Replicas, i: usize) -> (String, String) {
    let status = replicas.patient_client(i).confirm_restore().unwrap_err();
    (reason_of(&status).unwrap_or_default(), status.message().to_owned())
}

#[test]
fn r15_replicas_are_upgraded_one_by_one_and_what_is_new_comes_with_the_last() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 3).made();
    for i in replicas.places() {
        replicas.replica(i).set_arguments(&EARLIER);
        replicas.replica(i).spawn();
    }
    for i in replicas.places() {
        replicas.replica(i).wait_until_ready();
    }
    let _ = replicas.wait_for_leader();
    let load = Load::of(6).start(&replicas);
    load.wait_for_successes(SOME, "in the earlier version");
    for i in replicas.places() {
        let (why, text) = refusal(&replicas, i);
        assert_eq!(why, reason::FEATURE_LEVEL, "{text}");
        let end = replicas.stop(i);
        assert_eq!(end.code, 0, "{}", end.said);
        load.wait_for_successes(SOME, "while one is replaced");
        replicas.replica(i).set_arguments(&[]);
        replicas.replica(i).spawn();
        replicas.replica(i).wait_until_ready();
        load.wait_for_successes(SOME, "in two versions");
        if i < 2 {
            // Asked at the upgraded one: it knows who is not.
            until("the upgraded one names who is not", || {
                let (why, text) = refusal(&replicas, i);
                assert_eq!(why, reason::FEATURE_LEVEL, "{text}");
                text.contains("knows level 1; upgrade it")
            });
        }
    }
    until("the level has risen by itself", || {
        replicas.places().into_iter().all(|i| {
            let (why, text) = refusal(&replicas, i);
            assert!(why == reason::NOT_OBSERVING || why == reason::FEATURE_LEVEL || why == reason::NO_LEADER, "{text}");
            why == reason::NOT_OBSERVING
        })
    });

    // What it has applied, but not yet kept: an earlier version meets it in its log.
    replicas.kill(2);
    replicas.replica(2).set_arguments(&EARLIER);
    replicas.replica(2).spawn();
    replicas.replica(2).is_refused(&[NOT_KNOWN], &["level 3"]);
    load.wait_for_successes(SOME, "after one has ended");
    // What it has kept: it does not even open.
    replicas.replica(2).set_arguments(&[]);
    replicas.restart(2);
    let end = replicas.stop(2);
    assert_eq!(end.code, 0, "{}", end.said);
    replicas.replica(2).set_arguments(&EARLIER);
    replicas.replica(2).spawn();
    replicas.replica(2).is_refused(&[NOT_KNOWN], &["level 3", "--feature-level-max"]);
    load.wait_for_successes(SOME, "after it did not open");

    replicas.replica(2).set_arguments(&[]);
    replicas.restart(2);
    load.wait_for_successes(SOME, "at the end");
    let _ = load.finish().is_good();
    replicas.wait_until_equal();
}
