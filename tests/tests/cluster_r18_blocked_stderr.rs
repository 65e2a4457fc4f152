//! R18: nobody reads what the replicas log, and they log a lot. That costs
//! lines, and neither a leader nor a write.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Load, LogReader, Plan, Replicas, Sandbox, TermWatch, Workload, rounds, until};

/// Writes that show that the load runs.
const SOME: usize = 100;
/// A machine that is busy for a moment elects nobody, and each call says a lot.
const TALKATIVE: [&str; 4] = ["--election-timeout", "5s", "--log", "debug,h2=debug"];
const DROPPED: &str = "pm_log_lines_dropped_total";

/// The reader of each of these stops; goes on until each has left out lines, and then some.
fn without_readers(replicas: &mut Replicas, load: &Workload, places: &[usize], readers: &[LogReader]) {
    places.iter().for_each(|i| readers[*i].pause());
    until("lines are left out", || places.iter().all(|i| replicas.replica(*i).metric(DROPPED) > 0));
    load.wait_for_successes(rounds(4) * SOME, "while nobody reads the log");
    for i in places {
        assert!(replicas.replica(*i).metric(DROPPED) > 0, "invalid: it was read");
        readers[*i].cont();
    }
}

#[test]
fn r18_replicas_whose_log_nobody_reads_serve_and_elect_nobody() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 3).arguments(&TALKATIVE).made();
    let readers: Vec<LogReader> = replicas.places().iter().map(|i| replicas.replica(*i).read_its_log()).collect();
    replicas.places().iter().for_each(|i| replicas.replica(*i).spawn());
    replicas.places().iter().for_each(|i| replicas.replica(*i).wait_until_ready());
    let terms = TermWatch::start(&replicas);
    let load = Load::of(8).start(&replicas);
    load.wait_for_successes(SOME, "at the beginning");
    let (leader, term) = (replicas.wait_for_leader(), replicas.term());
    without_readers(&mut replicas, &load, &[leader], &readers);
    without_readers(&mut replicas, &load, &[0, 1, 2], &readers);
    assert_eq!((replicas.wait_for_leader(), replicas.term()), (leader, term));
    for i in replicas.places() {
        until("it says how many", || replicas.replica(i).said().contains("log lines were left out"));
    }
    let _ = load.finish().is_good();
    let _ = terms.finish();
    replicas.wait_until_equal();
    // Nor is its end one's to wait for.
    readers[leader].pause();
    let end = replicas.stop(leader);
    assert_eq!(end.code, 0, "{}", end.said);
}
