//! One link that stands, as the dialer holds it: what waits to be sent, what
//! waits to be answered.
//!
//! ```text
//! ask, tell ─▶ queue ─▶ Outgoing ─▶ the wire      number ─▶ who waits ◀─ answered
//! ```
//!
//! Asking never waits: a full queue is an unreachable peer, said at once. The
//! order of asking is the order of sending. When the lane is closed, everybody
//! who waits is told.

mod outgoing;
mod pending;
mod sameness;
#[cfg(test)]
mod tests;

pub(super) use outgoing::Outgoing;

use super::bounds::{MAX_IN_FLIGHT, MAX_MESSAGE_BYTES, MAX_QUEUED, MAX_QUEUED_BYTES};
use super::wire;
use pending::{Asked, Kind, Waiter};
use pm_proto::v1;
use pm_proto::v1::link_request::Body;
use registry_consensus::{Answer, Call, Note, PeerFault, ReplicaId};
use sameness::Sameness;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// What comes out of a question.
pub(super) type Outcome = Result<Answer, PeerFault>;

/// The peer broke the protocol; the link has to be cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// An answer to nothing.
    #[error("it answered call {0}, which was not made or is answered already")]
    NotAsked(u64),
    /// An answer to another question.
    #[error("it answered call {0} with a message of another kind")]
    OtherKind(u64),
    /// A message that means nothing.
    #[error(transparent)]
    Malformed(#[from] wire::Malformed),
}

/// One link that stands.
pub(super) struct Lane {
    peer: ReplicaId,
    state: Mutex<State>,
    /// Cancelled when the link has to end.
    cut: CancellationToken,
}

#[derive(Default)]
struct State {
    /// Nothing more goes in; what is in still goes out.
    closed: bool,
    queue: VecDeque<Queued>,
    /// Of what is queued.
    bytes: usize,
    /// Whoever sends, when it found the queue empty.
    sender: Option<Waker>,
    /// The number of the last call.
    number: u64,
    /// By number: calls that are not answered.
    asked: HashMap<u64, Asked>,
    /// The appends among them.
    appends: HashMap<Sameness, u64>,
}

struct Queued {
    weight: usize,
    request: v1::LinkRequest,
}

impl Lane {
    /// A lane whose first words are the dialer's hello.
    pub(super) fn new(peer: ReplicaId, hello: v1::PeerHello, cut: CancellationToken) -> Arc<Self> {
        let lane = Self { peer, state: Mutex::default(), cut };
        lane.lock().push(0, 0, Body::Hello(hello));
        Arc::new(lane)
    }

    /// What goes out.
    pub(super) fn outgoing(self: &Arc<Self>) -> Outgoing {
        Outgoing::new(self.clone())
    }

    /// Asks; the receiver ends without a value when the link does. An append
    /// that is under way already is not sent again.
    ///
    /// # Errors
    /// There is no room for it, or the link is down.
    pub(super) fn ask(&self, call: Call) -> Result<oneshot::Receiver<Outcome>, PeerFault> {
        let weight = wire::weight(&call);
        let unreachable = Err(PeerFault::Unreachable(self.peer));
        if weight > MAX_MESSAGE_BYTES {
            tracing::error!(peer = %self.peer, bytes = weight, limit = MAX_MESSAGE_BYTES, "a call is too large to be sent");
            return unreachable;
        }
        let (waiter, answer) = oneshot::channel();
        let mut state = self.lock();
        if state.closed {
            return unreachable;
        }
        if let Some((same, wants)) = Sameness::of(&call) {
            let waiter = Waiter { waiter, wants };
            let under_way = state.appends.get(&same).copied();
            if let Some(asked) = under_way.and_then(|number| state.asked.get_mut(&number)) {
                asked.join(waiter);
                return Ok(answer);
            }
            if state.full(weight) {
                return unreachable;
            }
            let number = state.enlist(Asked::new(Kind::Append, waiter, Some(same)));
            state.appends.insert(same, number);
            state.push(number, weight, wire::call_into(call));
        } else {
            if state.full(weight) {
                return unreachable;
            }
            let number = state.enlist(Asked::new(Kind::of(&call), Waiter { waiter, wants: None }, None));
            state.push(number, weight, wire::call_into(call));
        }
        wake(state);
        Ok(answer)
    }

    /// Says something that is not answered; lost when there is no room for it.
    pub(super) fn tell(&self, note: Note) {
        let mut state = self.lock();
        let weight = size_of::<Note>();
        if !state.closed && !state.full(weight) {
            state.push(0, weight, wire::note_into(note));
            wake(state);
        }
    }

    /// The last words: the other end is turned away.
    pub(super) fn refuse(&self, refusal: v1::PeerRefusal) {
        let mut state = self.lock();
        state.push(0, 0, Body::Refusal(refusal));
        state.closed = true;
        wake(state);
    }

    /// An answer came.
    ///
    /// # Errors
    /// It is none; whoever waits for it has been told.
    pub(super) fn answered(&self, response: v1::LinkResponse) -> Result<(), Broken> {
        let v1::LinkResponse { number, body } = response;
        let answer = body.map_or(Err(wire::Malformed::Missing("body")), wire::answer_from);
        let asked = {
            let mut state = self.lock();
            let Some(asked) = state.asked.remove(&number) else {
                answer?;
                return Err(Broken::NotAsked(number));
            };
            if let Some(same) = asked.same {
                state.appends.remove(&same);
            }
            asked
        };
        let fits = answer.as_ref().is_ok_and(|answer| asked.kind.fits(answer));
        if fits {
            asked.answer(&answer?);
            return Ok(());
        }
        asked.nonsense(self.peer);
        answer?;
        Err(Broken::OtherKind(number))
    }

    /// The link is over: nothing goes in or out any more, and whoever waits
    /// for an answer is told by the end of the channel.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queue.clear();
        state.bytes = 0;
        state.appends.clear();
        let asked = std::mem::take(&mut state.asked);
        wake(state);
        drop(asked);
    }

    /// Ends the link from this side.
    pub(super) fn cut(&self) {
        self.cut.cancel();
    }

    /// Over once the link has to end.
    pub(super) async fn is_cut(&self) {
        self.cut.cancelled().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn full(&self, weight: usize) -> bool {
        let crowded = !self.queue.is_empty() && self.bytes.saturating_add(weight) > MAX_QUEUED_BYTES;
        crowded || self.queue.len() >= MAX_QUEUED || self.asked.len() >= MAX_IN_FLIGHT
    }

    fn enlist(&mut self, asked: Asked) -> u64 {
        self.number += 1;
        self.asked.insert(self.number, asked);
        self.number
    }

    fn push(&mut self, number: u64, weight: usize, body: Body) {
        self.bytes += weight;
        self.queue.push_back(Queued { weight, request: v1::LinkRequest { number, body: Some(body) } });
    }
}

/// Wakes whoever sends, after the lock is released: it takes it at once.
fn wake(mut state: MutexGuard<'_, State>) {
    let sender = state.sender.take();
    drop(state);
    if let Some(sender) = sender {
        sender.wake();
    }
}
