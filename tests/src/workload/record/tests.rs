use super::*;
use crate::linear::{Answer, Call, Op};
use std::time::Duration;

/// One write of key `k` with each of these outcomes; so often are they in the
/// audit log, and so often was the key changed.
fn record(outcomes: &[(WriteOutcome, usize)], generation: u64) -> Record {
    let (mut requests, mut audited) = (Vec::new(), Audited::default());
    for (n, (outcome, entries)) in outcomes.iter().enumerate() {
        let request_id = format!("r{n}");
        requests.push(Written { key: "k".to_owned(), request_id: request_id.clone(), outcome: *outcome });
        audited.requests.insert(request_id, (0..*entries as u64).collect());
    }
    Record {
        load: Load { clients: 1, keys: 1, pause: Duration::ZERO, bytes: 0, seed: 1 },
        history: History::new(),
        requests,
        faults: Vec::new(),
        outcomes: BTreeMap::new(),
        generations: [("k".to_owned(), generation)].into(),
        audited,
        gaps: Gaps::default(),
    }
}

const DONE: WriteOutcome = WriteOutcome::Done;
const UNKNOWN: WriteOutcome = WriteOutcome::Unknown;
const MISMATCH: WriteOutcome = WriteOutcome::Mismatch;

#[track_caller]
fn broken(record: &Record, text: &str) {
    let found = record.verdict().unwrap_err();
    assert!(found.contains(text), "{found}");
}

#[test]
fn each_acknowledged_request_once_and_each_unknown_one_at_most_once_is_good() {
    for (unknown, generation) in [(0, 2), (1, 3)] {
        let good = record(&[(DONE, 1), (DONE, 1), (MISMATCH, 0), (UNKNOWN, unknown)], generation);
        assert_eq!(good.verdict().unwrap(), Proof { operations: 0, acknowledged: 2, unknown: 1, unanswered: 0 });
    }
}

#[test]
fn a_request_that_was_done_twice_is_found() {
    broken(&record(&[(DONE, 2)], 1), "at revisions [0, 1]");
    broken(&record(&[(DONE, 1), (UNKNOWN, 2)], 2), "at revisions [0, 1]");
    broken(&record(&[(DONE, 1), (UNKNOWN, 1)], 3), "was changed 3 times by 1 acknowledged and 1 unknown");
}

#[test]
fn a_request_that_was_acknowledged_and_not_done_is_found() {
    broken(&record(&[(DONE, 0)], 1), "at revisions []");
    broken(&record(&[(DONE, 1), (DONE, 1)], 1), "was changed 1 times by 2 acknowledged");
}

#[test]
fn a_history_without_an_order_is_found() {
    let op = |call, answer, at| Op { client: 0, call, invoked: at, returned: Some((at + 1, answer)) };
    let mut stale = record(&[(DONE, 1)], 1);
    let ops = vec![op(Call::Write(1), Answer::Done, 0), op(Call::Read, Answer::Value(None), 5)];
    stale.history.insert("k".to_owned(), ops);
    broken(&stale, "is not linearizable");
}

#[test]
fn what_was_not_looked_at_proves_nothing() {
    broken(&record(&[(UNKNOWN, 0)], 0), "not one write was acknowledged");
    let mut hole = record(&[(DONE, 1)], 1);
    hole.audited.hole = Some("too fast".to_owned());
    broken(&hole, "nothing is proved about the audit log: too fast");
    let mut fault = record(&[(DONE, 1)], 1);
    fault.faults.push("an answer that must not be".to_owned());
    broken(&fault, "an answer that must not be");
}
