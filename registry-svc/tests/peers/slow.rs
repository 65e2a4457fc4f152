//! A network whose answers come later than the Raft library waits for them.

use crate::support::{Heard, Proxy, Replica, append, in_time};
use registry_consensus::{Answer, Appended, Call, Peers as _, Position, ReplicaId};
use service_host::secret::Secret;
use std::time::Duration;

/// How long openraft waits for the answer to an append.
const PATIENCE_OF_RAFT: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_link_of_450_ms_an_append_that_is_given_up_and_repeated_every_100_ms_is_sent_once_and_answered() {
    let token = Secret::generate();
    let mut one = Replica::start(1, &token).await;
    let mut two = Replica::start(2, &token).await;
    // In the middle between two attempts: an answer that comes with one is another case.
    let proxy = Proxy::to(&two.address, Duration::from_millis(225)).await;
    one.member(2, &proxy.address);
    one.up(2).await;
    let (mut given_up, answer) = (0, in_time("an answer", repeated(&one, append(0, 3, 200), append(0, 3, 200))).await);
    assert_eq!(answer.0, Answer::Appended(Appended::All));
    given_up += answer.1;
    // New entries come in the meantime: what is on its way counts all the same.
    let longer = in_time("an answer", repeated(&one, append(3, 2, 200), append(3, 9, 200))).await;
    assert_eq!(longer.0, Answer::Appended(Appended::UpTo(Some(Position { term: 1, index: 5 }))));
    given_up += longer.1;
    assert!(given_up > 0, "nobody gave up: the link was not slow, and this proves nothing");
    let mut heard = Vec::new();
    while let Ok((_, Heard::Call(Call::Append(append)))) = two.heard.try_recv() {
        heard.push(append.entries.len());
    }
    assert_eq!(heard, [3, 2]);
}

/// As the Raft library does it: asks, gives up, asks again. The answer, and how often it gave up.
async fn repeated(one: &Replica, first: Call, then: Call) -> (Answer, usize) {
    let mut call = first;
    let mut given_up = 0;
    loop {
        match tokio::time::timeout(PATIENCE_OF_RAFT, one.links.call(ReplicaId(2), call)).await {
            Ok(answer) => return (answer.unwrap(), given_up),
            Err(_) => given_up += 1,
        }
        call = then.clone();
    }
}
