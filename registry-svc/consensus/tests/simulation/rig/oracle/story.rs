//! What happened, line by line, in virtual time.

use std::fmt::Write as _;
use tokio::time::Instant;

/// Lines that are kept: a run that goes on for long tells its end.
const LINES: usize = 4_000;

pub(super) struct Story {
    began: Instant,
    lines: Vec<String>,
    digest: u64,
}

impl Default for Story {
    fn default() -> Self {
        Self::new()
    }
}

impl Story {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), lines: Vec::new(), digest: 0xcbf2_9ce4_8422_2325 }
    }

    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        let line = format!("{:>9.3} {}", self.began.elapsed().as_secs_f64() * 1e3, line());
        for byte in line.as_bytes() {
            self.mix(u64::from(*byte));
        }
        if self.lines.len() >= LINES {
            self.lines.drain(..LINES / 2);
        }
        self.lines.push(line);
    }

    pub(super) fn mix(&mut self, what: u64) {
        self.digest = (self.digest ^ what).wrapping_mul(0x0100_0000_01b3);
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}
