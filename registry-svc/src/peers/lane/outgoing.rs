//! What a lane sends, as a stream. All that is queued when the transport asks
//! is given to it in one go, and becomes one write.

use super::Lane;
use futures::Stream;
use pm_proto::v1;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The requests of a lane, in the order in which they were made. Ends when
/// the lane is closed.
pub(in crate::peers) struct Outgoing(Arc<Lane>);

impl Outgoing {
    pub(super) fn new(lane: Arc<Lane>) -> Self {
        Self(lane)
    }
}

impl Stream for Outgoing {
    type Item = v1::LinkRequest;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<v1::LinkRequest>> {
        let mut state = self.0.lock();
        match state.queue.pop_front() {
            Some(queued) => {
                state.bytes = state.bytes.saturating_sub(queued.weight);
                Poll::Ready(Some(queued.request))
            }
            None if state.closed => Poll::Ready(None),
            None => {
                match &mut state.sender {
                    Some(waker) => waker.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Outgoing {
    /// The transport has let go of the link: nothing more is sent.
    fn drop(&mut self) {
        self.0.close();
    }
}
