//! A network whose answers come later than the Raft library waits for them.

use crate::order::holding;
use crate::support::{Heard, Proxy, Replica, append, in_time};
use registry_consensus::{Answer, Appended, Call, Peers as _, Position, ReplicaId};
use service_host::secret::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long openraft waits for the answer to an append.
const PATIENCE_OF_RAFT: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_link_of_450_ms_an_append_that_is_given_up_and_repeated_every_100_ms_is_sent_once_and_answered() {
    let token = Secret::generate();
    let mut one = Replica::start(1, &token).await;
    let mut two = Replica::start(2, &token).await;
    let gate = Arc::new(Semaphore::new(0));
    two.door.answer(holding(&gate));
    let proxy = Proxy::to(&two.address, Duration::from_millis(225)).await;
    one.member(2, &proxy.address);
    one.up(2).await;
    let answer = in_time("an answer", repeated(&one, &gate, append(0, 3, 200), append(0, 3, 200))).await;
    assert_eq!(answer, Answer::Appended(Appended::All));
    // New entries come in the meantime: what is on its way counts all the same.
    let longer = in_time("an answer", repeated(&one, &gate, append(3, 2, 200), append(3, 9, 200))).await;
    assert_eq!(longer, Answer::Appended(Appended::UpTo(Some(Position { term: 1, index: 5 }))));
    let mut heard = Vec::new();
    while let Ok((_, Heard::Call(Call::Append(append)))) = two.heard.try_recv() {
        heard.push(append.entries.len());
    }
    assert_eq!(heard, [3, 2]);
}

/// As the Raft library does it: asks, gives up, asks again. The answer.
async fn repeated(one: &Replica, gate: &Semaphore, first: Call, then: Call) -> Answer {
    let mut call = first;
    for _ in 0..4 {
        let given_up = tokio::time::timeout(PATIENCE_OF_RAFT, one.links.call(ReplicaId(2), call)).await;
        assert!(given_up.is_err(), "{given_up:?}, which nobody gave");
        call = then.clone();
    }
    // The answer is given only now: one that comes between two attempts, however long lies between them, is another
    // case.
    let answer = one.links.call(ReplicaId(2), call);
    gate.add_permits(1);
    answer.await.unwrap()
}
