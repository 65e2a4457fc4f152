//! Bytes that are missing: how many, why, and the line that tells.

use super::json::Json;
use super::names::rfc3339;
use std::time::{Duration, Instant};

/// Between two tries to write again. A program that is ready to write costs no
/// system call in between.
pub(super) const RETRY: Duration = Duration::from_millis(250);

/// What is wrong with a file, from the first write that failed to the first
/// that did not.
#[derive(Debug)]
pub(super) struct Trouble {
    /// In words.
    pub(super) reason: String,
    /// Bytes of the program that were dropped and are not told of in the file.
    pub(super) dropped: u64,
    /// When to try again.
    pub(super) retry: Instant,
}

impl Trouble {
    pub(super) fn new(reason: String, now: Instant) -> Self {
        Self { reason, dropped: 0, retry: now + RETRY }
    }

    /// The line; an object where the file holds objects.
    pub(super) fn line(&self, at_line_start: bool, json: Option<&Json>, wall: i64) -> Vec<u8> {
        let text = format!("[pm: {} bytes are missing here: {}]", self.dropped, self.reason);
        match json {
            Some(json) => json.remark(&text, self.dropped, wall),
            None if at_line_start => format!("{text}\n").into_bytes(),
            None => format!("\n{text}\n").into_bytes(),
        }
    }

    /// For people.
    pub(super) fn words(&self, path: &std::path::Path, wall: i64) -> String {
        format!("{}: {} (since {})", path.display(), self.reason, rfc3339(wall))
    }
}
