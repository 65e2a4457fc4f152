//! One reader's side of its relays: frames that wait for it, and the handle by
//! which its call takes them.
//!
//! The queue has no bound of its own: the credit of the tails that fill it is
//! one (`monitor_domain::tails`), and there are at most two ends per tail.

use super::Driver;
use crate::api::stream_to_wire;
use monitor_domain::tails::{Output, ReadId, TailId};
use pm_proto::v1;
use pm_proto::v1::read_logs_response::Frame;
use process_model::InstanceId;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Notify;

/// What a reader gets when it asks.
#[derive(Debug)]
pub(crate) enum Next {
    Frame(Frame),
    /// Nothing now.
    Wait,
    /// Nothing any more.
    Over,
}

#[derive(Debug)]
pub(super) struct Reader {
    /// Each with the tail whose window it takes up.
    frames: VecDeque<(Frame, Option<(TailId, u64)>)>,
    finished: bool,
    wake: Arc<Notify>,
}

impl Reader {
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        Self { frames: VecDeque::new(), finished: false, wake }
    }

    pub(super) fn push_chunk(&mut self, chunk: v1::LogChunk, tail: TailId) {
        let bytes = u64::try_from(chunk.data.len()).unwrap_or(u64::MAX);
        self.frames.push_back((Frame::Chunk(chunk), Some((tail, bytes))));
        self.wake.notify_one();
    }

    pub(super) fn push_end(&mut self, instance: &InstanceId, output: Output, error: String) {
        let end = v1::LogEnd { instance_id: instance.to_string(), stream: stream_to_wire(output).into(), error };
        self.frames.push_back((Frame::End(end), None));
        self.wake.notify_one();
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
        self.wake.notify_one();
    }

    pub(super) fn next(&mut self) -> (Next, Option<(TailId, u64)>) {
        match self.frames.pop_front() {
            Some((frame, taken)) => (Next::Frame(frame), taken),
            None if self.finished => (Next::Over, None),
            None => (Next::Wait, None),
        }
    }
}

/// A read, held by the client's call. Dropping it ends the read.
#[derive(Debug)]
pub(crate) struct LogFrames {
    driver: Arc<Driver>,
    read: ReadId,
    wake: Arc<Notify>,
}

impl LogFrames {
    pub(super) fn new(driver: Arc<Driver>, read: ReadId, wake: Arc<Notify>) -> Self {
        Self { driver, read, wake }
    }

    /// The next frame; `None` when there are no more.
    pub(crate) async fn next(&self) -> Option<Frame> {
        loop {
            match self.driver.next_frame(self.read) {
                Next::Frame(frame) => return Some(frame),
                Next::Over => return None,
                // A wake between the question and here is kept: no frame is missed.
                Next::Wait => self.wake.notified().await,
            }
        }
    }
}

impl Drop for LogFrames {
    fn drop(&mut self) {
        self.driver.close_read(self.read);
    }
}
