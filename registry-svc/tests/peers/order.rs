//! What is said arrives, once, in order, and what is answered comes back.

use crate::support::{Heard, PATIENCE, Replica, append, closed_port, in_time};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use registry_consensus::{
    Answer, Appended, Call, Note, PeerFault, Peers as _, Position, ReplicaId, Vote, VoteQuestion,
};
use registry_quorum::Millis;
use registry_quorum::elections::{Ballot, Opinion};
use registry_svc::peers::{MAX_IN_FLIGHT, MAX_MESSAGE_BYTES};
use service_host::secret::Secret;
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, oneshot};

pub(crate) async fn pair() -> (Replica, Replica) {
    let token = Secret::generate();
    let (mut one, two) = (Replica::start(1, &token).await, Replica::start(2, &token).await);
    one.knows(&[&two]);
    one.up(2).await;
    (one, two)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_call_is_answered_and_every_note_arrives() {
    let (one, mut two) = pair().await;
    let vote = Vote { term: 5, voted_for: Some(1), committed: false };
    let last = Some(Position { term: 4, index: 9 });
    let calls = [
        append(4, 3, 200),
        append(7, 0, 0),
        Call::Vote(VoteQuestion { vote, last }),
        Call::Confirm { term: 5 },
        Call::ReadIndex { term: None },
        Call::Service(Bytes::from_static(b"hello")),
        // Beyond what other services take.
        Call::Service(vec![1; 9 << 20].into()),
    ];
    for call in calls {
        let answer = in_time("an answer", one.links.call(ReplicaId(2), call.clone())).await;
        assert_eq!(answer, Ok(crate::support::door::yes(call.clone())));
        assert_eq!(two.heard.recv().await, Some((ReplicaId(1), Heard::Call(call))));
    }
    let ballot = Ballot { term: 4, last: Position { term: 4, index: 9 }, asked: Millis(77) };
    let notes = [
        Note::PreVoteAsked(ballot),
        Note::PreVoteAnswered(Opinion { ballot, granted: true, lease_left: 12 }),
        Note::Resigned { term: 4 },
        Note::TakeOver { term: 4, last: ballot.last },
        Note::TakeOverRefused,
    ];
    for note in notes {
        one.links.note(ReplicaId(2), note.clone());
        assert_eq!(in_time("a note", two.heard.recv()).await, Some((ReplicaId(1), Heard::Note(note))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_and_notes_are_heard_in_the_order_in_which_they_were_made() {
    let (one, mut two) = pair().await;
    let mut answers = Vec::new();
    for n in 0..300 {
        if n % 3 == 2 {
            one.links.note(ReplicaId(2), Note::Resigned { term: n });
        } else {
            // Of different sizes: nobody overtakes.
            let padding = if n % 2 == 0 { 0 } else { 40_000 };
            let bytes = [&n.to_le_bytes()[..], &vec![0; padding]].concat();
            answers.push(one.links.call(ReplicaId(2), Call::Service(bytes.into())));
        }
    }
    for n in 0..300_u64 {
        let heard = match in_time("a message", two.heard.recv()).await {
            Some((_, Heard::Note(Note::Resigned { term }))) => term,
            Some((_, Heard::Call(Call::Service(bytes)))) => u64::from_le_bytes(bytes[..8].try_into().unwrap()),
            other => panic!("{other:?}"),
        };
        assert_eq!(heard, n);
    }
    assert!(in_time("all answers", join_all(answers)).await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_takes_long_keeps_no_other_waiting() {
    let (one, two) = pair().await;
    let (release, held) = oneshot::channel::<()>();
    let mut held = Some(held);
    two.door.answer(move |call| match held.take() {
        Some(held) => held.map(|_| Answer::ReadIndex(Some(1))).boxed(),
        None => std::future::ready(crate::support::door::yes(call)).boxed(),
    });
    let mut slow = one.links.call(ReplicaId(2), Call::ReadIndex { term: None });
    let quick = in_time("the second", one.links.call(ReplicaId(2), Call::Confirm { term: 3 })).await;
    assert_eq!(quick, Ok(Answer::Confirmed { term: 3, yes: true }));
    assert_eq!((&mut slow).now_or_never(), None);
    release.send(()).unwrap();
    assert_eq!(in_time("the first", slow).await, Ok(Answer::ReadIndex(Some(1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_reach_each_other_and_know_who_asks() {
    let token = Secret::generate();
    let mut three = [Replica::start(1, &token).await, Replica::start(2, &token).await, Replica::start(3, &token).await];
    for at in 0..3 {
        let (me, others): (Vec<_>, Vec<_>) = three.iter().partition(|replica| replica.id == at + 1);
        me[0].knows(&others);
    }
    for replica in &mut three {
        for _ in 0..2 {
            let event = crate::support::event(&mut replica.events).await;
            assert!(matches!(event, registry_consensus::LinkEvent::Up { boot: 1, .. }), "{event:?}");
        }
    }
    for replica in &three {
        for other in (1..=3).filter(|id| *id != replica.id) {
            let answer = replica.links.call(ReplicaId(other), Call::Confirm { term: replica.id }).await;
            assert_eq!(answer, Ok(Answer::Confirmed { term: replica.id, yes: true }));
        }
    }
    for replica in &mut three {
        let mut from = Vec::new();
        for _ in 0..2 {
            let (who, heard) = replica.heard.recv().await.unwrap();
            assert_eq!(heard, Heard::Call(Call::Confirm { term: who.0 }));
            from.push(who.0);
        }
        from.sort_unstable();
        assert_eq!(from, (1..=3).filter(|id| *id != replica.id).collect::<Vec<_>>());
    }
}

/// Holds every call until it may answer.
pub(crate) fn holding(gate: &Arc<Semaphore>) -> impl FnMut(Call) -> BoxFuture<'static, Answer> + Send + 'static {
    let gate = gate.clone();
    move |call| {
        let gate = gate.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            crate::support::door::yes(call)
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_calls_that_nobody_answers_those_beyond_the_bound_fail_at_once_and_all_others_in_the_end_succeed()
 {
    let (one, two) = pair().await;
    let gate = Arc::new(Semaphore::new(0));
    two.door.answer(holding(&gate));
    let (mut waiting, mut refused) = (Vec::new(), 0);
    for term in 0..10_000 {
        let mut call = one.links.call(ReplicaId(2), Call::Confirm { term });
        match (&mut call).now_or_never() {
            None => waiting.push((term, call)),
            Some(answer) => {
                assert_eq!(answer, Err(PeerFault::Unreachable(ReplicaId(2))));
                refused += 1;
                // The queue empties by itself; what nobody answers does not.
                tokio::task::yield_now().await;
            }
        }
    }
    assert!(waiting.len() <= MAX_IN_FLIGHT && refused >= 10_000 - MAX_IN_FLIGHT, "{} wait", waiting.len());
    gate.add_permits(waiting.len());
    for (term, call) in waiting {
        assert_eq!(in_time("an answer", call).await, Ok(Answer::Confirmed { term, yes: true }));
    }
    assert!(
        one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).now_or_never().is_none(),
        "there is room again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_no_peer_would_take_costs_the_call_and_not_the_link() {
    let (mut one, two) = pair().await;
    let large = Call::Service(vec![0; MAX_MESSAGE_BYTES + 1].into());
    assert_eq!(one.links.call(ReplicaId(2), large).await, Err(PeerFault::Unreachable(ReplicaId(2))));
    two.door.answer(|_| std::future::ready(Answer::Service(vec![0; MAX_MESSAGE_BYTES + 1].into())).boxed());
    let answer = in_time("an answer", one.links.call(ReplicaId(2), Call::Service(Bytes::new()))).await;
    assert_eq!(answer, Ok(Answer::Busy));
    two.door.answer(|call| std::future::ready(crate::support::door::yes(call)).boxed());
    assert_eq!(one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).await, Ok(Answer::ReadIndex(Some(7))));
    assert!(one.events.try_recv().is_err(), "the link stands");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_link_there_is_an_answer_at_once() {
    let one = Replica::start(1, &Secret::generate()).await;
    let unreachable = Err(PeerFault::Unreachable(ReplicaId(2)));
    assert_eq!(one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).now_or_never(), Some(unreachable.clone()));
    one.member(2, &closed_port());
    assert_eq!(one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).now_or_never(), Some(unreachable));
    one.links.note(ReplicaId(2), Note::TakeOverRefused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_share_their_bytes_on_the_way_to_the_door() {
    let (one, two) = pair().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let places = seen.clone();
    two.door.answer(move |call| {
        if let Call::Append(append) = &call {
            places.lock().unwrap().extend(append.entries.iter().map(|entry| entry.bytes.as_ptr() as usize));
        }
        std::future::ready(Answer::Appended(Appended::All)).boxed()
    });
    tokio::time::timeout(PATIENCE, one.links.call(ReplicaId(2), append(0, 8, 1000))).await.unwrap().unwrap();
    let places = seen.lock().unwrap();
    // Slices of one message: each lies a little more than its size behind the one before.
    assert!(places.windows(2).all(|pair| (1000..1100).contains(&(pair[1] - pair[0]))), "{places:?}");
}
