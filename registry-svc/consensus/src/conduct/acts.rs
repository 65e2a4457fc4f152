//! Does what the elections want. Nothing here waits: what takes time is a task
//! of its own, and safe to lose.

use super::Conductor;
use crate::consensus::Inner;
use crate::library::vote_of;
use crate::{Answer, Append, Call, Note, Vote};
use futures::FutureExt as _;
use registry_quorum::elections::{Do, HandOverEnd, Mandate, Saw};
use registry_quorum::{Millis, ReplicaId};
use std::sync::Arc;
use std::time::Duration;

/// A core that does not answer within this waits for its disk; a candidacy
/// that begins later would disturb whoever leads by then.
const PROMPT: Duration = Duration::from_millis(50);

impl Conductor {
    /// One step, and what follows from it.
    pub(super) fn take(&mut self, saw: Saw, now: Millis) {
        for wanted in self.elections.step(saw, now) {
            tracing::debug!(?wanted, "elections");
            self.act(wanted);
        }
    }

    fn act(&mut self, wanted: Do) {
        let inner = &self.inner;
        match wanted {
            Do::Redial(peer) => inner.peers.redial(peer),
            Do::AskPreVote(ballot) => self.tell_voters(&Note::PreVoteAsked(ballot)),
            Do::AnswerPreVote { to, opinion } => inner.peers.note(to, Note::PreVoteAnswered(opinion)),
            Do::Stand(mandate) => {
                tokio::spawn(stand(inner.clone(), mandate, self.elections.term()));
            }
            Do::Suspend(why) => {
                tracing::warn!(%why, "leading is suspended");
                inner.signs.suspend(true);
                inner.raft.runtime_config().heartbeat(false);
            }
            Do::Resume => {
                inner.signs.suspend(false);
                inner.raft.runtime_config().heartbeat(true);
            }
            Do::Resign { term } => self.tell_voters(&Note::Resigned { term }),
            Do::Confirm { term } => {
                for peer in self.other_voters() {
                    tokio::spawn(confirm(inner.clone(), peer, term));
                }
            }
            // Seen by everybody in `Standing::holds`, which follows from `handing_over`.
            Do::HoldProposals => {}
            Do::SendTakeOver { to, term, last } => inner.peers.note(to, Note::TakeOver { term, last }),
            Do::RefuseTakeOver { to } => inner.peers.note(to, Note::TakeOverRefused),
            Do::HandOverEnded(end) => self.handed_over(end),
        }
    }

    fn handed_over(&mut self, end: HandOverEnd) {
        tracing::info!(%end, "hand-over");
        for answer in self.handing_over.drain(..) {
            // Whoever asked may have gone.
            let _ = answer.send(end);
        }
    }

    fn other_voters(&self) -> Vec<ReplicaId> {
        let me = self.inner.me;
        self.told.voters.all().into_iter().filter(|id| *id != me).collect()
    }

    fn tell_voters(&self, note: &Note) {
        for peer in self.other_voters() {
            self.inner.peers.note(peer, note.clone());
        }
    }

    /// A follower was told of less than is committed; now the rest can be told.
    pub(super) fn tell_commit(&self) {
        let inner = self.inner.clone();
        tokio::spawn(async move {
            if !inner.signs.is_suspended() {
                // Fails only when the engine has ended.
                let _ = inner.raft.trigger().heartbeat().await;
            }
        });
    }
}

/// `seen`: the term, and its leader, in which this was decided. The library may be further by now, as somebody else
/// stood, too: then it is his turn. It is asked in its own thread, and told to stand before it does anything else.
async fn stand(inner: Arc<Inner>, mandate: Mandate, seen: (u64, Option<ReplicaId>)) {
    let (told, me) = (inner.clone(), inner.me);
    let late = tokio::time::Instant::now() + PROMPT;
    let asked = inner.raft.with_raft_state(move |state| {
        let vote = vote_of(state.vote_ref());
        let now = (vote.term, vote.voted_for.map(ReplicaId).filter(|_| vote.committed));
        if now != seen || tokio::time::Instant::now() > late {
            return Some(false);
        }
        if let Mandate::Leader { past_leases: true } = mandate {
            past_leases(&told, me, vote.term);
        }
        // Ready at once: it only tells the library.
        told.raft.trigger().elect().now_or_never().map(|told| told.is_ok())
    });
    match tokio::time::timeout(PROMPT, asked).await {
        Ok(Ok(Some(true))) => {}
        Ok(Ok(Some(false))) => tracing::info!("this replica could stand for election, but somebody else was quicker"),
        Ok(Ok(None) | Err(_)) => tracing::warn!("this replica cannot stand for election: its engine ends"),
        Err(_late) => tracing::warn!("this replica could stand for election, but is busy"),
    }
}

/// Raises the promise of those who still hold a lease of the leader that asks for this: an append of the next term that
/// fits no log changes nothing else. On the same link as the question for the vote, so before it.
fn past_leases(inner: &Inner, me: ReplicaId, term: u64) {
    let vote = Vote { term: term + 1, voted_for: None, committed: false };
    let nowhere = registry_quorum::Position { term: term + 1, index: u64::MAX / 2 };
    let append = Append { vote, previous: Some(nowhere), entries: Vec::new(), committed: None };
    for peer in inner.voters().into_iter().filter(|id| *id != me) {
        drop(tokio::spawn(inner.peers.call(peer, Call::Append(append.clone()))));
    }
}

async fn confirm(inner: Arc<Inner>, peer: ReplicaId, term: u64) {
    let sent = inner.signs.now();
    let Ok(Answer::Confirmed { term: theirs, yes }) = inner.peers.call(peer, Call::Confirm { term }).await else {
        return;
    };
    // Who has not heard of this term yet follows as soon as it is told of it: a leader that waited until he has would
    // wait for ever, as it tells nothing while it is suspended.
    if yes || theirs <= term {
        inner.signs.acked(peer, sent);
        inner.tell(Saw::Tick);
    } else {
        inner.tell(Saw::TermSeen(theirs));
    }
}
