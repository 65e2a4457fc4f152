//! One link, as the acceptor holds it: takes calls and notes in the order in
//! which they were made, lets the answers be worked out beside each other, and
//! sends each when it is there.
//!
//! It is the response's stream itself: no task, no queue of its own. While
//! the dialer does not read answers, the transport does not ask for any, and
//! no further call is taken up: what a peer can make us hold is bounded.

use super::bounds::{FRAMES_A_TURN, MAX_IN_FLIGHT, MAX_MESSAGE_BYTES};
use super::shared::Shared;
use super::{Hello, wire};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, Stream, StreamExt as _};
use pm_proto::v1;
use pm_proto::v1::link_request::Body;
use registry_consensus::{Answer, Call, Door, ReplicaId};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tonic::{Status, Streaming};

/// One link of a peer to us.
pub(super) struct Accepted {
    shared: Arc<Shared>,
    door: Arc<dyn Door>,
    hello: Hello,
    requests: Streaming<v1::LinkRequest>,
    /// First of all: who we are.
    welcome: Option<v1::LinkResponse>,
    answers: FuturesUnordered<Numbered>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _listed: DropGuard,
}

/// An answer that is being worked out.
struct Numbered {
    number: u64,
    answer: futures::future::BoxFuture<'static, Answer>,
}

/// What a turn has come to.
enum Turn {
    /// Something was taken up.
    Taken,
    /// Nothing is there now.
    Waits,
    /// The link is over; an error is for the dialer.
    Over(Option<Status>),
}

impl Accepted {
    pub(super) fn new(
        shared: Arc<Shared>,
        door: Arc<dyn Door>,
        hello: Hello,
        requests: Streaming<v1::LinkRequest>,
        welcome: v1::LinkResponse,
        listed: (CancellationToken, DropGuard),
    ) -> Self {
        let (cut, guard) = listed;
        Self {
            shared,
            door,
            hello,
            requests,
            welcome: Some(welcome),
            answers: FuturesUnordered::new(),
            cut: Box::pin(cut.cancelled_owned()),
            _listed: guard,
        }
    }

    fn from(&self) -> ReplicaId {
        self.hello.from()
    }

    fn take(&mut self, cx: &mut Context<'_>) -> Turn {
        match self.requests.poll_next_unpin(cx) {
            Poll::Pending => Turn::Waits,
            Poll::Ready(Some(Ok(request))) => match self.taken(request) {
                Ok(turn) => turn,
                Err(why) => {
                    tracing::warn!(peer = %self.from(), %why, "a replica broke the protocol; its link is cut");
                    Turn::Over(Some(Status::invalid_argument(why.to_string())))
                }
            },
            Poll::Ready(Some(Err(status))) => {
                tracing::info!(peer = %self.from(), code = %status.code(), why = status.message(), "a replica's link ended");
                Turn::Over(None)
            }
            Poll::Ready(None) => Turn::Over(None),
        }
    }

    fn taken(&mut self, request: v1::LinkRequest) -> Result<Turn, wire::Malformed> {
        let v1::LinkRequest { number, body } = request;
        let body = body.ok_or(wire::Malformed::Missing("body"))?;
        match wire::call_from(body)? {
            Ok(call) => self.call(number, call)?,
            Err(Body::Refusal(refusal)) => {
                self.shared.turned_away.by(&self.shared, &self.hello, &wire::refusal_from(refusal));
                return Ok(Turn::Over(None));
            }
            Err(note) => self.door.note(self.from(), wire::note_from(note)?),
        }
        Ok(Turn::Taken)
    }

    fn call(&mut self, number: u64, call: Call) -> Result<(), wire::Malformed> {
        if number == 0 {
            return Err(wire::Malformed::Missing("number"));
        }
        let answer = self.door.call(self.from(), call);
        self.answers.push(Numbered { number, answer });
        Ok(())
    }
}

impl Future for Numbered {
    type Output = v1::LinkResponse;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<v1::LinkResponse> {
        let number = self.number;
        self.answer.poll_unpin(cx).map(|answer| v1::LinkResponse { number, body: Some(body(answer)) })
    }
}

fn body(answer: Answer) -> v1::link_response::Body {
    match answer {
        Answer::Service(bytes) if bytes.len() > MAX_MESSAGE_BYTES - 64 => {
            tracing::error!(bytes = bytes.len(), limit = MAX_MESSAGE_BYTES, "an answer is too large to be sent");
            wire::answer_into(Answer::Busy)
        }
        answer @ (Answer::Service(_)
        | Answer::Appended(_)
        | Answer::Vote(_)
        | Answer::Confirmed { .. }
        | Answer::ReadIndex(_)
        | Answer::Busy) => wire::answer_into(answer),
    }
}

impl Stream for Accepted {
    type Item = Result<v1::LinkResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(welcome) = this.welcome.take() {
            return Poll::Ready(Some(Ok(welcome)));
        }
        for _ in 0..FRAMES_A_TURN {
            // Answers first: they make room.
            if let Poll::Ready(Some(answer)) = this.answers.poll_next_unpin(cx) {
                return Poll::Ready(Some(Ok(answer)));
            }
            let turn = if this.answers.len() < MAX_IN_FLIGHT { this.take(cx) } else { Turn::Waits };
            match turn {
                Turn::Taken => {}
                Turn::Waits => {
                    return match this.cut.poll_unpin(cx) {
                        Poll::Ready(()) => Poll::Ready(None),
                        Poll::Pending => Poll::Pending,
                    };
                }
                // Whoever waits for the rest has no way to hear it.
                Turn::Over(error) => return Poll::Ready(error.map(Err)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
