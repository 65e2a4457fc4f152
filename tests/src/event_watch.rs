//! Waiting by the event stream: no polling, nothing missed, bounded.

use crate::api::runtime;
use pm_proto::v1::{Event, WatchEventsResponse, watch_events_response::Frame};
use std::time::Instant;
use tonic::Streaming;

/// The events from some revision on, in order.
pub struct EventWatch {
    stream: Streaming<WatchEventsResponse>,
    seen: Vec<Event>,
}

impl EventWatch {
    pub(crate) fn new(stream: Streaming<WatchEventsResponse>) -> Self {
        Self { stream, seen: Vec::new() }
    }

    /// The next event that `wanted` accepts, among those not yet looked at.
    ///
    /// # Panics
    /// When none comes within the deadline or the stream ends; `what` names
    /// the wish, and the events that came are listed.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        let until = Instant::now() + crate::DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let next = runtime().block_on(async { tokio::time::timeout(left, self.stream.message()).await });
            match next {
                Ok(Ok(Some(WatchEventsResponse { frame: Some(Frame::Event(event)) }))) => {
                    self.seen.push(event.clone());
                    if wanted(&event) {
                        return event;
                    }
                }
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => panic!("the event stream ended before {what}\n{}", self.story()),
                Ok(Err(status)) => panic!("the event stream broke before {what}: {status}\n{}", self.story()),
                Err(_) => panic!("no {what} within {:?}\n{}", crate::DEADLINE, self.story()),
            }
        }
    }

    /// The next event of this type about this instance.
    #[track_caller]
    pub fn wait_for_instance(&mut self, instance: &str, kind: &str) -> Event {
        self.wait_for(&format!("{kind} of {instance}"), |event| event.instance_id == instance && event.r#type == kind)
    }

    /// What came so far, one line for each event.
    #[must_use]
    pub fn story(&self) -> String {
        self.seen
            .iter()
            .map(|event| format!("{} {} {} {}\n", event.revision, event.r#type, event.instance_id, event.message))
            .collect()
    }
}
