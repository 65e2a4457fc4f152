//! What the others ask of this replica, answered.

use crate::consensus::Consensus;
use crate::library::{
    Raft, answered_append, answered_vote, asked_append, asked_vote, library_snapshot, raft_vote, vote_of,
};
use crate::reading::{confirmed_index, confirms};
use crate::signs::Signs;
use crate::{
    Answer, Append, Appended, Call, Door, MachineFault, Note, ReplicaId, Snapshot, SnapshotMeta, SnapshotSink, Vote,
};
use futures::FutureExt as _;
use futures::future::{BoxFuture, maybe_done};
use futures::task::noop_waker_ref;
use registry_quorum::elections::Saw;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::Context;

impl Door for Consensus {
    fn call(&self, from: ReplicaId, call: Call) -> BoxFuture<'static, Answer> {
        let inner = self.inner.clone();
        match call {
            Call::Append(append) => self.append(from, append),
            Call::Vote(question) => {
                let raft = inner.raft.clone();
                let asked = begun(async move { raft.vote(asked_vote(&question)).await });
                // The engine has written the vote before it answers.
                asked.map(|answer| answer.map_or(Answer::Busy, |answer| Answer::Vote(answered_vote(&answer)))).boxed()
            }
            Call::Confirm { term } => futures::future::ready(confirms(&inner, from, term)).boxed(),
            Call::ReadIndex { term } => {
                let asker = term.map(|term| (from, term));
                async move {
                    let index = confirmed_index(&inner, asker).await;
                    index.into_iter().for_each(|index| inner.news.wants(from, index));
                    Answer::ReadIndex(index)
                }
                .boxed()
            }
            // The service above takes its own before they get here.
            Call::Service(_) => futures::future::ready(Answer::Busy).boxed(),
        }
    }

    fn note(&self, from: ReplicaId, note: Note) {
        self.inner.tell(match note {
            Note::PreVoteAsked(ballot) => Saw::PreVoteAsked { from, ballot },
            Note::PreVoteAnswered(opinion) => Saw::PreVoteAnswered { from, opinion },
            Note::Resigned { term } => Saw::Resigned { from, term },
            Note::TakeOver { term, last } => Saw::TakeOverAsked { from, term, last },
            Note::TakeOverRefused => Saw::TakeOverRefused { from },
        });
    }

    fn begin_snapshot(
        &self,
        from: ReplicaId,
        vote: Vote,
        meta: &SnapshotMeta,
        bytes: u64,
    ) -> Result<Result<Box<dyn SnapshotSink>, Vote>, MachineFault> {
        let mine = self.inner.disk.vote().filter(|mine| mine.term > vote.term);
        if let Some(mine) = mine {
            return Ok(Err(mine));
        }
        let sink = self.inner.machine.receive_snapshot(meta, bytes)?;
        let signs = self.inner.signs.clone();
        signs.heard(from, vote.term);
        Ok(Ok(Box::new(Listening { sink, signs, from, term: vote.term })))
    }

    fn end_snapshot(&self, from: ReplicaId, vote: Vote, snapshot: Snapshot) -> BoxFuture<'static, Vote> {
        let inner = self.inner.clone();
        async move {
            // An entry here that is not the snapshot's last one at its place was never committed, nor was what follows
            // it: that goes first, as the library would cut the log back to the last entry that it knows to be
            // committed, and lose what was acknowledged, before the snapshot is there. The answer says nothing new.
            let last = Append { vote, previous: snapshot.meta.at, entries: Vec::new(), committed: None };
            if let Ok(last) = asked_append(last) {
                let _ = inner.raft.append_entries(last).await;
            }
            let installed = inner.raft.install_full_snapshot(raft_vote(vote), library_snapshot(snapshot)).await;
            inner.signs.heard(from, vote.term);
            match installed {
                Ok(answer) => vote_of(&answer.vote),
                // The engine has ended, and so does the process. Any answer would say that the snapshot is here: there
                // is none, and the sender sees the link break.
                Err(_ended) => std::future::pending().await,
            }
        }
        .boxed()
    }
}

impl Consensus {
    fn append(&self, from: ReplicaId, append: Append) -> BoxFuture<'static, Answer> {
        let inner = self.inner.clone();
        let bytes = append.entries.iter().map(|entry| entry.bytes.len() as u64).sum();
        if !append.entries.is_empty() && inner.edge.is_full(bytes) {
            // Nothing could be appended, and the engine would wait for room with everything else.
            return futures::future::ready(Answer::Busy).boxed();
        }
        let leads = (append.vote.committed && append.vote.voted_for == Some(from.0)).then_some(append.vote.term);
        let rpc = match asked_append(append) {
            Ok(rpc) => rpc,
            Err(unreadable) => {
                tracing::error!(%from, error = %unreadable, "cannot take entries");
                return futures::future::ready(Answer::Busy).boxed();
            }
        };
        let raft: Raft = inner.raft.clone();
        let asked = begun(async move { raft.append_entries(rpc).await });
        async move {
            let (edge, signs) = (&inner.edge, &inner.signs);
            let Ok(answer) = asked.await else { return Answer::Busy };
            let answer = answered_append(answer);
            if let (Some(term), false) = (leads, matches!(answer, Appended::Outvoted(_))) {
                signs.heard(from, term);
            }
            // Rule 1 of the edge; what the library has may be in a snapshot that is being installed.
            match (edge.all_durable().await, inner.covered.settled().await) {
                (Ok(()), Ok(())) => Answer::Appended(answer),
                (Err(_), _) | (_, Err(_)) => Answer::Busy,
            }
        }
        .boxed()
    }
}

/// Polls a future once, so that what it sends at its beginning is sent before
/// the next one begins; then it goes on like any other.
fn begun<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> BoxFuture<'static, T> {
    let mut begun = Box::pin(maybe_done(future));
    let _ = begun.as_mut().poll(&mut Context::from_waker(noop_waker_ref()));
    Box::pin(async move {
        loop {
            if let Some(output) = begun.as_mut().take_output() {
                return output;
            }
            begun.as_mut().await;
        }
    })
}

/// Each piece of a snapshot is a sign of life: no heartbeats come meanwhile.
struct Listening {
    sink: Box<dyn SnapshotSink>,
    signs: Arc<Signs>,
    from: ReplicaId,
    term: u64,
}

impl SnapshotSink for Listening {
    fn offset(&self) -> u64 {
        self.sink.offset()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.signs.heard(self.from, self.term);
        self.sink.append(bytes)
    }

    fn finish(self: Box<Self>) -> Result<Snapshot, MachineFault> {
        self.sink.finish()
    }
}
