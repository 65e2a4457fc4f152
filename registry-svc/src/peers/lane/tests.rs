//! Order, bounds, and appends that are asked for again.

use super::*;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use registry_consensus::{Append, Appended, LogRecord, Position, Vote};

fn lane() -> (Arc<Lane>, Outgoing) {
    let lane = Lane::new(ReplicaId(2), v1::PeerHello::default(), CancellationToken::new());
    let mut outgoing = lane.outgoing();
    assert!(matches!(next(&mut outgoing), Some(v1::LinkRequest { number: 0, body: Some(Body::Hello(_)) })));
    (lane, outgoing)
}

fn next(outgoing: &mut Outgoing) -> Option<v1::LinkRequest> {
    outgoing.next().now_or_never().flatten()
}

fn sent(outgoing: &mut Outgoing) -> Vec<u64> {
    std::iter::from_fn(|| next(outgoing)).map(|request| request.number).collect()
}

fn append(previous: u64, entries: std::ops::Range<u64>, committed: u64) -> Call {
    let at = |index| Position { term: 1, index };
    let record = |index| LogRecord { at: at(index), bytes: Bytes::from_static(b"x") };
    Call::Append(Append {
        vote: Vote { term: 1, voted_for: Some(1), committed: true },
        previous: Some(at(previous)),
        entries: entries.map(record).collect(),
        committed: Some(at(committed)),
    })
}

fn appended(lane: &Lane, number: u64, appended: Appended) {
    let body = Some(wire::answer_into(Answer::Appended(appended)));
    lane.answered(v1::LinkResponse { number, body }).unwrap();
}

fn up_to(index: u64) -> Appended {
    Appended::UpTo(Some(Position { term: 1, index }))
}

fn heard(answer: &mut oneshot::Receiver<Outcome>) -> Option<Outcome> {
    answer.try_recv().ok()
}

fn got(expected: Appended) -> Option<Outcome> {
    Some(Ok(Answer::Appended(expected)))
}

#[test]
fn calls_and_notes_leave_in_the_order_in_which_they_were_made() {
    let (lane, mut outgoing) = lane();
    let answers: Vec<_> = (1..=3).map(|term| lane.ask(Call::Confirm { term }).unwrap()).collect();
    lane.tell(Note::Resigned { term: 1 });
    let _last = lane.ask(Call::ReadIndex { term: None }).unwrap();
    assert_eq!(sent(&mut outgoing), [1, 2, 3, 0, 4]);
    drop(answers);
}

#[test]
fn an_append_that_is_under_way_is_not_sent_again_and_its_answer_is_for_all_who_asked() {
    let (lane, mut outgoing) = lane();
    let given_up = lane.ask(append(4, 5..8, 4)).unwrap();
    drop(given_up);
    let mut again = lane.ask(append(4, 5..8, 6)).unwrap();
    let mut other = lane.ask(append(7, 8..9, 6)).unwrap();
    assert_eq!(sent(&mut outgoing), [1, 2]);
    appended(&lane, 1, Appended::All);
    assert_eq!((heard(&mut again), heard(&mut other)), (got(Appended::All), None));
    appended(&lane, 2, Appended::Conflict);
    assert_eq!(heard(&mut other), got(Appended::Conflict));
    // It is over: the same append is a new one.
    let _new = lane.ask(append(4, 5..8, 4)).unwrap();
    assert_eq!(sent(&mut outgoing), [3]);
}

#[test]
fn an_append_that_begins_as_one_under_way_is_told_how_far_that_came() {
    let (lane, mut outgoing) = lane();
    let mut first = lane.ask(append(4, 5..8, 4)).unwrap();
    let mut longer = lane.ask(append(4, 5..20, 4)).unwrap();
    let mut shorter = lane.ask(append(4, 5..6, 4)).unwrap();
    assert_eq!(sent(&mut outgoing), [1]);
    appended(&lane, 1, Appended::All);
    assert_eq!(heard(&mut first), got(Appended::All));
    assert_eq!(heard(&mut longer), got(up_to(7)), "the rest was not sent");
    assert_eq!(heard(&mut shorter), got(Appended::All));

    let mut first = lane.ask(append(4, 5..8, 4)).unwrap();
    let mut shorter = lane.ask(append(4, 5..6, 4)).unwrap();
    appended(&lane, 2, up_to(5));
    assert_eq!((heard(&mut first), heard(&mut shorter)), (got(up_to(5)), got(Appended::All)));
}

#[test]
fn a_heartbeat_waits_for_one_that_says_the_same_but_not_for_entries_or_other_news() {
    let (lane, mut outgoing) = lane();
    let calls = [append(4, 5..5, 4), append(4, 5..5, 4), append(4, 5..6, 4), append(4, 5..5, 5)];
    let mut answers: Vec<_> = calls.into_iter().map(|call| lane.ask(call).unwrap()).collect();
    assert_eq!(sent(&mut outgoing), [1, 2, 3]);
    appended(&lane, 1, Appended::All);
    let heard: Vec<bool> = answers.iter_mut().map(|answer| heard(answer).is_some()).collect();
    assert_eq!(heard, [true, true, false, false]);
}

#[test]
fn a_caller_who_repeats_itself_for_hours_costs_one_place() {
    let (lane, _outgoing) = lane();
    for _ in 0..10_000 {
        drop(lane.ask(append(4, 5..8, 4)).unwrap());
    }
    let state = lane.lock();
    assert!(state.asked.len() == 1 && state.queue.len() == 1);
    let asked = state.asked.values().next().unwrap();
    assert!(asked.waiting() <= 2, "{} wait", asked.waiting());
}

#[test]
fn a_full_queue_is_said_at_once_and_an_answer_makes_room() {
    let (lane, mut outgoing) = lane();
    let queued: Vec<_> = (0..10_000).filter_map(|term| lane.ask(Call::Confirm { term }).ok()).collect();
    assert_eq!(queued.len(), MAX_QUEUED);
    assert_eq!(lane.ask(Call::ReadIndex { term: None }).unwrap_err(), PeerFault::Unreachable(ReplicaId(2)));
    // Sent, the queue is empty, and what is not answered counts.
    let mut answers = queued;
    while answers.len() < MAX_IN_FLIGHT {
        assert_eq!(sent(&mut outgoing).len(), MAX_QUEUED);
        answers.extend((0..MAX_QUEUED).map_while(|_| lane.ask(Call::ReadIndex { term: None }).ok()));
    }
    sent(&mut outgoing);
    assert!(lane.ask(Call::ReadIndex { term: None }).is_err());
    let confirmed = Answer::Confirmed { term: 1, yes: true };
    lane.answered(v1::LinkResponse { number: 1, body: Some(wire::answer_into(confirmed)) }).unwrap();
    assert!(lane.ask(Call::ReadIndex { term: None }).is_ok());
}

#[test]
fn bytes_are_bounded_too_but_one_large_message_passes_when_nothing_waits() {
    let (lane, mut outgoing) = lane();
    let large = || Call::Service(vec![0; MAX_QUEUED_BYTES + 1].into());
    let _first = lane.ask(large()).unwrap();
    assert!(lane.ask(Call::ReadIndex { term: None }).is_err());
    assert_eq!(sent(&mut outgoing), [1]);
    let _second = lane.ask(large()).unwrap();
    assert!(lane.ask(Call::Service(vec![0; MAX_MESSAGE_BYTES].into())).is_err(), "no message is larger than allowed");
}

#[test]
fn whoever_waits_is_told_when_the_link_ends_and_nothing_more_is_sent() {
    let (lane, mut outgoing) = lane();
    let mut answer = lane.ask(Call::ReadIndex { term: None }).unwrap();
    lane.close();
    assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert!(lane.ask(Call::ReadIndex { term: None }).is_err());
    assert_eq!(outgoing.next().now_or_never(), Some(None));
}

#[test]
fn an_answer_to_nothing_or_to_another_question_breaks_the_link() {
    let (lane, _outgoing) = lane();
    let busy = |number| v1::LinkResponse { number, body: Some(wire::answer_into(Answer::Busy)) };
    assert_eq!(lane.answered(busy(1)), Err(Broken::NotAsked(1)));
    let mut vote = lane.ask(Call::ReadIndex { term: None }).unwrap();
    let other = wire::answer_into(Answer::Confirmed { term: 1, yes: true });
    assert_eq!(lane.answered(v1::LinkResponse { number: 1, body: Some(other) }), Err(Broken::OtherKind(1)));
    assert_eq!(heard(&mut vote), Some(Err(PeerFault::Nonsense(ReplicaId(2)))));
    let mut vote = lane.ask(Call::ReadIndex { term: None }).unwrap();
    let empty = lane.answered(v1::LinkResponse { number: 2, body: None });
    assert_eq!(empty, Err(Broken::Malformed(wire::Malformed::Missing("body"))));
    assert_eq!(heard(&mut vote), Some(Err(PeerFault::Nonsense(ReplicaId(2)))));
    let mut vote = lane.ask(Call::ReadIndex { term: None }).unwrap();
    assert_eq!(lane.answered(busy(3)), Ok(()));
    assert_eq!(heard(&mut vote), Some(Ok(Answer::Busy)), "busy answers everything");
}
