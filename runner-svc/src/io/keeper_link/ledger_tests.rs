use super::*;
use process_model::ExitStatus;
use runner_keeper::protocol::{Ending, SpawnRequest};

fn spawn(run: u64) -> Request {
    Request::Spawn(Box::new(SpawnRequest {
        run,
        instance: format!("web-{run}"),
        argv: vec!["sleep".into()],
        working_dir: "/".into(),
        stdout: "/dev/null".into(),
        stderr: "/dev/null".into(),
        ..SpawnRequest::default()
    }))
}

fn spawned(run: u64) -> Event {
    Event::Spawned { run, pid: 10, start_time: 20, started_at: 30 }
}

fn record(run: u64, ending: Option<Ending>) -> RunRecord {
    let instance = format!("web-{run}");
    RunRecord {
        run,
        instance,
        pid: 10,
        start_time: 20,
        started_at: 30,
        age: 0,
        ending,
        notified: String::new(),
        is_task: false,
        containment: String::new(),
        outputs: Vec::new(),
        fence: None,
        fenced: false,
    }
}

fn over() -> Ending {
    Ending { status: ExitStatus::Code(0), at: 0, tree_empty: true, out_of_memory: false }
}

fn asked(runs: &[u64]) -> Ledger {
    let mut ledger = Ledger::default();
    for run in runs {
        assert!(ledger.queue(spawn(*run)).is_none());
    }
    let bytes = ledger.burst().bytes.len();
    ledger.written(bytes);
    ledger
}

fn unsent(ledger: &Ledger) -> Vec<&Request> {
    ledger.unsent.iter().map(|outgoing| &outgoing.request).collect()
}

fn runs(reconciled: Reconciled) -> Vec<u64> {
    reconciled.lost.iter().map(Lost::run).collect()
}

#[test]
fn a_spawn_that_was_not_written_is_not_lost_with_a_keeper_that_never_saw_it() {
    let mut ledger = Ledger::default();
    ledger.queue(spawn(1));
    ledger.queue(spawn(2));
    let first = ledger.unsent.front().unwrap().bytes.len();
    // The second was cut in the middle.
    ledger.written(first + 3);
    assert_eq!(unsent(&ledger), [&spawn(2)]);
    assert_eq!(runs(ledger.reconcile(&[], false)), [1]);
    assert_eq!(unsent(&ledger), [&spawn(2)]);
}

#[test]
fn the_same_keeper_is_asked_again_for_what_it_does_not_know_and_in_order() {
    let mut ledger = asked(&[1, 2, 3]);
    ledger.queue(Request::Forget { run: 9 });
    assert_eq!(runs(ledger.reconcile(&[record(2, None)], true)), Vec::<u64>::new());
    assert_eq!(unsent(&ledger), [&spawn(1), &spawn(3), &Request::Forget { run: 9 }]);
}

#[test]
fn a_run_whose_end_is_known_is_not_lost_with_its_keeper() {
    let mut ledger = asked(&[1, 2, 3, 4]);
    (1..=4).for_each(|run| ledger.heard(&spawned(run), Vec::new()));
    ledger.heard(&Event::Exited { run: 1, ending: over() }, Vec::new());
    ledger.heard(&Event::Exited { run: 2, ending: Ending { tree_empty: false, ..over() } }, Vec::new());
    ledger.heard(&Event::Exited { run: 3, ending: Ending { tree_empty: false, ..over() } }, Vec::new());
    ledger.heard(&Event::TreeEmptied { run: 3 }, Vec::new());
    assert_eq!(runs(ledger.reconcile(&[], false)), [2, 4]);
    assert_eq!(runs(ledger.reconcile(&[], false)), Vec::<u64>::new(), "lost twice");
}

#[test]
fn a_spawn_that_failed_or_ended_is_never_lost() {
    let mut ledger = asked(&[1, 2]);
    ledger.heard(&Event::SpawnFailed { run: 1, stage: String::new(), message: String::new() }, Vec::new());
    assert_eq!(runs(ledger.reconcile(&[record(2, Some(over()))], false)), Vec::<u64>::new());
    assert_eq!(runs(ledger.reconcile(&[], false)), Vec::<u64>::new());
}

#[test]
fn only_a_refusal_ends_a_shutdown() {
    let mut ledger = Ledger::default();
    ledger.queue(Request::Shutdown);
    ledger.queue(Request::Forget { run: 1 });
    let bytes = ledger.burst().bytes.len();
    ledger.written(bytes);
    assert!(ledger.is_shutting_down(), "a later request took it back");
    ledger.reconcile(&[], true);
    assert_eq!(unsent(&ledger), [&Request::Shutdown], "the keeper that is still there was not told again");
    ledger.heard(&Event::ShutdownRefused { alive: 1 }, Vec::new());
    assert!(!ledger.is_shutting_down());
}

#[test]
fn a_request_that_is_too_long_is_answered_and_blocks_nobody() {
    let mut ledger = Ledger::default();
    let Request::Spawn(mut long) = spawn(1) else { unreachable!() };
    long.argv.push("x".repeat(frame::MAX_FRAME));
    let answer = ledger.queue(Request::Spawn(long));
    assert!(matches!(answer, Some(Event::SpawnFailed { run: 1, .. })), "{answer:?}");
    assert!(!ledger.has_unsent());
}

/// What a keeper hands of a run, with one descriptor.
fn handed(run: u64) -> (Event, Vec<OwnedFd>) {
    let state = Opaque::default();
    (Event::Handed { run, state }, vec![std::fs::File::open("/dev/null").unwrap().into()])
}

#[test]
fn what_was_handed_goes_to_the_next_keeper_before_anything_else_and_to_the_one_after_that() {
    let mut ledger = asked(&[1, 2]);
    (1..=2).for_each(|run| ledger.heard(&spawned(run), Vec::new()));
    let (event, descriptors) = handed(1);
    ledger.heard(&event, descriptors);
    ledger.queue(Request::SignalTree { run: 1, signal: 15 });
    for _ in 0..2 {
        let outcome = ledger.reconcile(&[], false);
        assert_eq!(outcome.handed_on, 1);
        assert!(matches!(unsent(&ledger)[0], Request::Adopt { run: 1, .. }));
        let burst = ledger.burst();
        assert_eq!(burst.descriptors.len(), 1, "they go with the first byte");
        let bytes = burst.bytes.len();
        ledger.written(bytes);
    }
    assert_eq!(unsent(&ledger), [&Request::SignalTree { run: 1, signal: 15 }]);
    assert!(ledger.burst().descriptors.is_empty());
}

#[test]
fn a_run_that_was_handed_and_not_answered_is_known_to_have_begun() {
    let mut ledger = asked(&[1, 2]);
    let (event, descriptors) = handed(1);
    ledger.heard(&event, descriptors);
    let outcome = ledger.reconcile(&[], false);
    assert_eq!((outcome.handed_on, runs(outcome)), (1, vec![2]));
    ledger.heard(&spawned(1), Vec::new());
    let main = MainProcess { pid: 10, start_time: 20 };
    assert!(ledger.kept().iter().any(|kept| kept.run == 1 && kept.main == main));
}

#[test]
fn an_ending_that_we_collected_is_told_to_the_keeper_that_took_its_run_over() {
    let mut ledger = asked(&[1]);
    ledger.heard(&spawned(1), Vec::new());
    let (event, descriptors) = handed(1);
    ledger.heard(&event, descriptors);
    ledger.collected(MainProcess { pid: 10, start_time: 20 }, ExitStatus::Code(3));
    ledger.collected(MainProcess { pid: 10, start_time: 21 }, ExitStatus::Code(4));
    ledger.reconcile(&[], false);
    let told: Vec<_> =
        unsent(&ledger).into_iter().filter(|request| !matches!(request, Request::Adopt { .. })).collect();
    assert!(told.iter().all(|request| **request == Request::Collected { run: 1, status: ExitStatus::Code(3) }));
    assert!(!told.is_empty());
}

#[test]
fn nothing_is_handed_to_a_keeper_of_version_1() {
    let mut ledger = asked(&[1]);
    ledger.heard(&spawned(1), Vec::new());
    let (event, descriptors) = handed(1);
    ledger.heard(&event, descriptors);
    let (pid, runs_there, build) = (1, Vec::new(), String::new());
    let (containment, containment_note) = (String::new(), String::new());
    let welcome = Event::Welcome { version: 1, pid, runs: runs_there, build, containment, containment_note };
    ledger.heard(&welcome, Vec::new());
    assert_eq!(runs(ledger.reconcile(&[], false)), [1]);
}
