//! A receiver of traces that is not ours: `tests/python/otlp_sink.py`, which
//! knows OTLP's own contract only.

use crate::{Lines, python};
use serde_json::Value;
use std::process::{Child, Stdio};
use std::time::Duration;

/// The receiver; ends with the test.
pub struct OtlpSink {
    child: Child,
    lines: Lines,
    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is to be.
    pub endpoint: String,
}

impl OtlpSink {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When there is no Python with the test packages.
    #[must_use]
    pub fn start() -> Self {
        let mut command = python::program("otlp_sink.py");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("Python can be started");
        let lines = Lines::of(child.stdout.take().expect("it is piped"));
        let first = lines.wait_for("\"port\"");
        let port = serde_json::from_str::<Value>(&first).expect("a line of JSON")["port"].clone();
        Self { child, lines, endpoint: format!("http://127.0.0.1:{port}") }
    }

    /// The first span that `wanted` accepts, now or later.
    pub fn find(&self, wait: Duration, mut wanted: impl FnMut(&Value) -> bool) -> Option<Value> {
        let line = self.lines.find(wait, |line| serde_json::from_str(line).is_ok_and(|span| wanted(&span)))?;
        serde_json::from_str(&line).ok()
    }

    /// The spans of a trace so far.
    #[must_use]
    pub fn spans(&self, trace: &str) -> Vec<Value> {
        let text = self.lines.text();
        let spans = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        spans.filter(|span| span["trace"] == trace).collect()
    }

    /// All that came.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.text()
    }
}

impl Drop for OtlpSink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
