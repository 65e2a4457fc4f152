//! An event as it is told: once encoded, for everybody.

use bytes::Bytes;
use process_model::Event;
use std::sync::{Arc, OnceLock};

/// An event, and what it is on the wire once somebody has asked for that.
#[derive(Debug)]
pub struct Told {
    /// The event.
    pub event: Arc<Event>,
    frame: OnceLock<Bytes>,
}

impl Told {
    /// An event that nobody has encoded.
    #[must_use]
    pub fn new(event: Arc<Event>) -> Self {
        Self { event, frame: OnceLock::new() }
    }

    /// Its bytes; `encode` runs once, whoever asks first.
    pub fn frame(&self, encode: impl FnOnce(&Event) -> Bytes) -> Bytes {
        self.frame.get_or_init(|| encode(&self.event)).clone()
    }
}
