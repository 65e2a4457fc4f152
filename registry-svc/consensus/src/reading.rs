//! Reading: up to where a reader has to see, so that it misses nothing that
//! was acknowledged before it asked (ReadIndex, Ongaro 2014, 6.4). All readers
//! that arrive while a round runs share the next one.

use crate::consensus::{Consensus, Inner};
use crate::{Answer, Call, ReplicaId};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A round without an answer for so long has no quorum, and no reader waits longer for one.
const ROUND: Duration = Duration::from_secs(2);

/// Before a peer is asked again that could not be.
const AGAIN: Duration = Duration::from_millis(20);

/// Before those are asked who are not needed for a majority: somebody who is did not answer by then.
const SPARE: Duration = Duration::from_millis(5);

/// Why it is not known up to where to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadFault {
    /// Nobody leads, as far as this replica knows.
    #[error("no leader is known")]
    NoLeader,
    /// Not enough replicas answer.
    #[error("no majority of the replicas answers")]
    NoQuorum,
    /// There is a majority, and this replica lacks entries that it has.
    #[error("this replica lags behind the others")]
    Behind,
    /// The replica is closing.
    #[error("the registry is closing")]
    Closing,
}

type Waiter = oneshot::Sender<Result<u64, ReadFault>>;

/// Those who want to read. Not bounded: each is a call that waits.
pub(crate) struct Reads(mpsc::UnboundedSender<Waiter>);

impl Reads {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Waiter>) {
        let (sender, waiting) = mpsc::unbounded_channel();
        (Self(sender), waiting)
    }
}

impl Consensus {
    /// Waits until this replica has applied everything that was acknowledged,
    /// by any replica, before the call. Answers the index of the log up to
    /// which that is so.
    ///
    /// # Errors
    /// See [`ReadFault`]; two seconds after the call that the quorum is not
    /// there, two seconds later that this replica lags.
    pub async fn read_barrier(&self) -> Result<u64, ReadFault> {
        let inner = &self.inner;
        let (answer, index) = oneshot::channel();
        inner.reads.0.send(answer).map_err(|_closed| ReadFault::Closing)?;
        let index = match tokio::time::timeout(ROUND, index).await {
            Ok(index) => index.map_err(|_closed| ReadFault::Closing)??,
            Err(_late) => return Err(nobody(inner.standing.borrow().leader)),
        };
        let mut applied = inner.applied.clone();
        tokio::select! {
            biased;
            reached = applied.wait_for(|applied| applied.is_some_and(|applied| applied >= index)) => {
                reached.map(|_| index).map_err(|_closed| ReadFault::Closing)
            }
            () = inner.stop.cancelled() => Err(ReadFault::Closing),
            () = tokio::time::sleep(ROUND) => Err(ReadFault::Behind),
        }
    }
}

fn nobody(leader: Option<ReplicaId>) -> ReadFault {
    if leader.is_some() { ReadFault::NoQuorum } else { ReadFault::NoLeader }
}

/// Runs round after round as long as somebody waits.
pub(crate) async fn run(consensus: Consensus, mut waiting: mpsc::UnboundedReceiver<Waiter>) {
    let inner = consensus.inner;
    let mut waiters = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = inner.stop.cancelled() => return,
            count = waiting.recv_many(&mut waiters, usize::MAX) => if count == 0 { return },
        }
        let index = tokio::select! {
            biased;
            () = inner.stop.cancelled() => return,
            index = tokio::time::timeout(ROUND, round(&inner)) => index.unwrap_or(Err(ReadFault::NoQuorum)),
        };
        for waiter in waiters.drain(..) {
            // The call may have been given up.
            let _ = waiter.send(index.clone());
        }
    }
}

/// Asks whoever leads; while nobody does, waits until somebody does.
async fn round(inner: &Arc<Inner>) -> Result<u64, ReadFault> {
    let mut standing = inner.standing.clone();
    let deadline = tokio::time::Instant::now() + ROUND - Duration::from_millis(100);
    loop {
        let (term, leader) = {
            let now = standing.borrow_and_update();
            (now.term, now.leader)
        };
        let mut later = standing.clone();
        let answer = tokio::select! {
            biased;
            answer = ask(inner, leader) => answer,
            // Who was asked may never answer, and somebody else leads by now.
            _ = later.wait_for(|now| (now.term, now.leader) != (term, leader)) => None,
        };
        if let Some(index) = answer {
            return Ok(index);
        }
        // Standing does not change when only a link broke and came back.
        let again = tokio::time::Instant::now() + AGAIN;
        tokio::select! {
            biased;
            changed = standing.changed() => if changed.is_err() { return Err(ReadFault::Closing) },
            () = tokio::time::sleep_until(again) => {}
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(nobody(leader));
        }
    }
}

async fn ask(inner: &Arc<Inner>, leader: Option<ReplicaId>) -> Option<u64> {
    let leader = leader?;
    if leader == inner.me {
        return confirmed_index(inner, None).await;
    }
    let term = inner.disk.vote().filter(|vote| vote.voted_for == Some(leader.0)).map(|vote| vote.term);
    match inner.peers.call(leader, Call::ReadIndex { term }).await {
        Ok(Answer::ReadIndex(index)) => index,
        // It does not lead, cannot be reached, or says something else: the next standing tells who does.
        Ok(_) | Err(_) => None,
    }
}

/// An index behind everything that was acknowledged before it was asked for; none when this replica does not lead, not
/// any more, or no majority confirms it in time. `asker`: who asks, and the term of which it held this replica to be
/// the leader when it did.
///
/// It is the last entry that this leader applied, or told others to apply: nothing else was acknowledged, and no reader
/// has seen more, here or on another replica. And nothing was acknowledged by a leader of a later term, as that one has
/// a majority's votes: each of a majority says, after the reader came, that it gave none. The one who asks says so with
/// its question, and this replica by its own vote. A vote leaves a replica after it stands in its log, so what stands
/// there is enough to know.
pub(crate) async fn confirmed_index(inner: &Arc<Inner>, asker: Option<(ReplicaId, u64)>) -> Option<u64> {
    tokio::time::timeout(ROUND, confirmed(inner, asker)).await.ok().flatten()
}

async fn confirmed(inner: &Arc<Inner>, asker: Option<(ReplicaId, u64)>) -> Option<u64> {
    let vote = inner.disk.vote().filter(|vote| vote.committed && vote.voted_for == Some(inner.me.0))?;
    let term = vote.term;
    // Before the first entry of its own term is committed a leader does not know what is.
    let index = inner.edge.shown().filter(|at| at.term == term)?.index;
    // Changes of the members may be further than what is told of them; with more than one between them, a majority of
    // those who voted then says nothing of those who vote now.
    let said = inner.edge.members();
    let voters = inner.standing.borrow().voters_in(term, said)?.clone();
    let asker = asker.filter(|(_, held)| *held == term).map(|(id, _)| id);
    let mut yes: BTreeSet<ReplicaId> = asker.into_iter().chain([inner.me]).collect();
    if voters.majority(|id| yes.contains(&id)) {
        return Some(index);
    }
    let ask = |peer, after: Option<Duration>| async move {
        if let Some(after) = after {
            tokio::time::sleep(after).await;
        }
        let sent = inner.signs.now();
        (peer, sent, inner.peers.call(peer, Call::Confirm { term }).await)
    };
    let mut enough = yes.clone();
    let mut answers = FuturesUnordered::new();
    for peer in inner.signs.by_last_ack(voters.all().into_iter().filter(|id| !yes.contains(id))) {
        let spare = voters.majority(|id| enough.contains(&id));
        answers.push(ask(peer, spare.then_some(SPARE)));
        enough.insert(peer);
    }
    while !voters.majority(|id| yes.contains(&id)) {
        let (peer, sent, answer) = answers.next().await?;
        match answer {
            Ok(Answer::Confirmed { yes: true, .. }) => {
                inner.signs.acked(peer, sent);
                yes.insert(peer);
            }
            // It knows of a later term.
            Ok(Answer::Confirmed { yes: false, .. }) => {}
            // Its link broke, or it is about to end: it may be back long before those who say nothing.
            Ok(_) | Err(_) => answers.push(ask(peer, Some(AGAIN))),
        }
    }
    Some(index)
}

/// Whether this replica holds `from` to be the leader of `term`. It may have told others so a moment ago that it votes
/// for a later one, or will in a moment; not before that stands in its log.
pub(crate) fn confirms(inner: &Inner, from: ReplicaId, term: u64) -> Answer {
    let vote = inner.disk.vote();
    Answer::Confirmed {
        // Who has never voted is in the term before the first one.
        term: vote.map_or(0, |vote| vote.term),
        yes: vote.is_some_and(|vote| vote.committed && vote.term == term && vote.voted_for == Some(from.0)),
    }
}
