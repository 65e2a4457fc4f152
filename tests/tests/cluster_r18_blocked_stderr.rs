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

/// The reader of each of these stops; goes on until each has left out lines, and more lines.
fn without_readers(replicas: &mut Replicas, load: &Workload, places: &[usize], readers: &[LogReader]) {
    let mut dropped = || -> Vec<u64> { places.iter().map(|i| replicas.replica(*i).metric(DROPPED)).collect() };
    let all_more = |now: &[u64], before: &[u64]| now.iter().zip(before).all(|(now, before)| now > before);
    places.iter().for_each(|i| readers[*i].pause());
    let before = dropped();
    until("lines are left out", || all_more(&dropped(), &before));
    let before = dropped();
    load.wait_for_successes(rounds(4) * SOME, "while nobody reads the log");
    assert!(all_more(&dropped(), &before), "invalid: it was read");
    places.iter().for_each(|i| readers[*i].cont());
}

#[test]
fn r18_replicas_whose_log_nobody_reads_serve_and_elect_nobody() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 3).arguments(&TALKATIVE).made();
    let all = replicas.places();
    let readers: Vec<LogReader> = all.iter().map(|i| replicas.replica(*i).read_its_log()).collect();
    all.iter().for_each(|i| replicas.replica(*i).spawn());
    all.iter().for_each(|i| replicas.replica(*i).wait_until_ready());
    let terms = TermWatch::start(&replicas);
    let load = Load::of(8).start(&replicas);
    load.wait_for_successes(SOME, "at the beginning");
    let (leader, term) = (replicas.wait_for_leader(), replicas.term());
    without_readers(&mut replicas, &load, &[leader], &readers);
    without_readers(&mut replicas, &load, &all, &readers);
    assert_eq!((replicas.wait_for_leader(), replicas.term()), (leader, term));
    for i in all {
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
