//! A door that says what it is told to, and remembers what it heard.

use super::snapshot::Depot;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use registry_consensus::{
    Answer, Append, Appended, Call, Door, LogRecord, MachineFault, Note, Position, ReplicaId, Snapshot, SnapshotMeta,
    SnapshotSink, Vote, VoteAnswer,
};
use std::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Call(Call),
    Note(Note),
}

type Answering = Box<dyn FnMut(Call) -> BoxFuture<'static, Answer> + Send>;

pub(crate) struct ScriptedDoor {
    heard: UnboundedSender<(ReplicaId, Heard)>,
    answering: Mutex<Answering>,
    pub(crate) depot: Depot,
}

impl ScriptedDoor {
    /// Answers everything with yes; what it hears comes out at the other end.
    pub(crate) fn new() -> (Self, UnboundedReceiver<(ReplicaId, Heard)>) {
        let (heard, ears) = unbounded_channel();
        let answering: Answering = Box::new(|call| std::future::ready(yes(call)).boxed());
        (Self { heard, answering: Mutex::new(answering), depot: Depot::default() }, ears)
    }

    pub(crate) fn answer(&self, answering: impl FnMut(Call) -> BoxFuture<'static, Answer> + Send + 'static) {
        *self.answering.lock().unwrap() = Box::new(answering);
    }
}

pub(crate) fn yes(call: Call) -> Answer {
    match call {
        Call::Append(_) => Answer::Appended(Appended::All),
        Call::Vote(question) => Answer::Vote(VoteAnswer { vote: question.vote, granted: true, last: question.last }),
        Call::Confirm { term } => Answer::Confirmed { term, yes: true },
        Call::ReadIndex { .. } => Answer::ReadIndex(Some(7)),
        Call::Service(bytes) => Answer::Service(bytes),
    }
}

impl Door for ScriptedDoor {
    fn call(&self, from: ReplicaId, call: Call) -> BoxFuture<'static, Answer> {
        let _ = self.heard.send((from, Heard::Call(call.clone())));
        (self.answering.lock().unwrap())(call)
    }

    fn note(&self, from: ReplicaId, note: Note) {
        let _ = self.heard.send((from, Heard::Note(note)));
    }

    fn begin_snapshot(
        &self,
        _from: ReplicaId,
        vote: Vote,
        meta: &SnapshotMeta,
        bytes: u64,
    ) -> Result<Result<Box<dyn SnapshotSink>, Vote>, MachineFault> {
        self.depot.begin(vote, meta, bytes)
    }

    fn end_snapshot(&self, _from: ReplicaId, vote: Vote, snapshot: Snapshot) -> BoxFuture<'static, Vote> {
        self.depot.end(vote, snapshot)
    }
}

/// An append of entries after `previous`, each of so many bytes.
pub(crate) fn append(previous: u64, entries: u64, bytes: usize) -> Call {
    let at = |index| Position { term: 1, index };
    let record = |index| LogRecord { at: at(index), bytes: Bytes::from(vec![7; bytes]) };
    Call::Append(Append {
        vote: Vote { term: 1, voted_for: Some(1), committed: true },
        previous: Some(at(previous)),
        entries: (previous + 1..=previous + entries).map(record).collect(),
        committed: Some(at(previous)),
    })
}
