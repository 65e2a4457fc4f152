//! Lines as objects, one a line (NDJSON): the field names of the Elastic
//! Common Schema, or of OpenTelemetry's log data model.
//!
//! Nothing is lost: bytes that are no UTF-8 stand as U+FFFD in the message, and
//! then the line's exact bytes are beside it in base64 (`pm.bytes`). A line
//! longer than [`LONGEST`] is several objects, all but the last with
//! `pm.partial`; so is a line that has no end when the output is closed.

use super::names::rfc3339;
use crate::protocol::SpawnRequest;
use process_model::spec::LogFormat;
use serde::{Deserialize, Serialize};

/// Bytes of the program in one object. A begun line is held in memory.
pub(super) const LONGEST: usize = 64 * 1024;

/// What makes lines objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Json {
    otel: bool,
    process: String,
    instance: String,
    node: String,
    stream: String,
    run: u64,
    pid: u32,
    /// Of the next object.
    sequence: u64,
    /// A line without its end.
    pub(super) begun: Vec<u8>,
}

/// Objects that were made: their text, and for each where it ends and how many
/// bytes of the program it stands for.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) text: Vec<u8>,
    pub(super) lines: Vec<(usize, usize)>,
}

impl Json {
    /// `None`: the file holds bytes as they are.
    pub(super) fn of(request: &SpawnRequest, stream: &str, format: LogFormat, pid: u32) -> Option<Self> {
        let otel = match format {
            LogFormat::Raw => return None,
            LogFormat::Ecs => false,
            LogFormat::Otel => true,
        };
        let variable = |name: &str| {
            request.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        Some(Self {
            otel,
            process: variable("PM_PROCESS"),
            node: variable("PM_NODE"),
            instance: request.instance.clone(),
            stream: stream.to_owned(),
            run: request.run,
            pid,
            sequence: 0,
            begun: Vec::new(),
        })
    }

    /// Another format from the next object on.
    pub(super) fn speak(&mut self, format: LogFormat) {
        self.otel = format == LogFormat::Otel;
    }

    /// Takes bytes in; whole lines come out.
    pub(super) fn push(&mut self, bytes: &[u8], wall: i64) -> Objects {
        let mut objects = Objects::default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut line = line;
            while self.begun.len() + line.len() > LONGEST && !line.is_empty() {
                let (part, rest) = line.split_at((LONGEST - self.begun.len()).min(line.len()));
                if rest == b"\n" {
                    // Exactly so long: the end belongs to it.
                    break;
                }
                self.begun.extend_from_slice(part);
                self.end_line(true, wall, &mut objects);
                line = rest;
            }
            if line.ends_with(b"\n") && self.begun.is_empty() {
                self.object(line, false, wall, &mut objects);
            } else {
                self.begun.extend_from_slice(line);
                if line.ends_with(b"\n") {
                    self.end_line(false, wall, &mut objects);
                }
            }
        }
        objects
    }

    /// Nothing more comes: the begun line is as long as it gets.
    pub(super) fn finish(&mut self, wall: i64) -> Objects {
        let mut objects = Objects::default();
        if !self.begun.is_empty() {
            self.end_line(true, wall, &mut objects);
        }
        objects
    }

    fn end_line(&mut self, partial: bool, wall: i64, objects: &mut Objects) {
        // Given back: an idle instance holds no buffer.
        let line = std::mem::take(&mut self.begun);
        self.object(&line, partial, wall, objects);
    }

    fn object(&mut self, line: &[u8], partial: bool, wall: i64, objects: &mut Objects) {
        let end = line.strip_suffix(b"\n").unwrap_or(line);
        let end = if partial { end } else { end.strip_suffix(b"\r").unwrap_or(end) };
        let text = std::str::from_utf8(end).ok();
        let exact = text.is_none().then_some(end);
        let lossy = text.map_or_else(|| String::from_utf8_lossy(end), Into::into);
        self.write(&lossy, exact, partial, None, wall, &mut objects.text);
        objects.lines.push((objects.text.len(), line.len()));
        self.sequence += 1;
    }

    /// The object that tells of missing bytes.
    pub(super) fn remark(&self, text: &str, missing: u64, wall: i64) -> Vec<u8> {
        let mut object = Vec::new();
        self.write(text, None, false, Some(missing), wall, &mut object);
        object
    }

    fn write(
        &self,
        message: &str,
        exact: Option<&[u8]>,
        partial: bool,
        missing: Option<u64>,
        wall: i64,
        out: &mut Vec<u8>,
    ) {
        let (sequence, run, pid) = (self.sequence, self.run, self.pid);
        if self.otel {
            put(out, &format!("{{\"Timestamp\":\"{wall}\",\"Body\":"));
            quoted(out, message);
            put(out, ",\"Resource\":{\"service.name\":");
            quoted(out, &self.process);
            put(out, ",\"service.instance.id\":");
            quoted(out, &self.instance);
            put(out, ",\"host.name\":");
            quoted(out, &self.node);
            put(out, &format!(",\"process.pid\":{pid}}},\"Attributes\":{{\"log.iostream\":"));
            quoted(out, &self.stream);
            put(out, &format!(",\"pm.run\":{run},\"pm.sequence\":{sequence}"));
            self.extras(exact, partial, missing, "\"pm.", out);
            put(out, "}}\n");
        } else {
            put(out, &format!("{{\"@timestamp\":\"{}\",\"ecs.version\":\"8.11.0\",\"message\":", rfc3339(wall)));
            quoted(out, message);
            put(out, ",\"service.name\":");
            quoted(out, &self.process);
            put(out, ",\"service.node.name\":");
            quoted(out, &self.instance);
            put(out, ",\"host.name\":");
            quoted(out, &self.node);
            put(out, &format!(",\"process.pid\":{pid},\"event.sequence\":{sequence},\"pm\":{{\"stream\":"));
            quoted(out, &self.stream);
            put(out, &format!(",\"run\":{run}"));
            self.extras(exact, partial, missing, "\"", out);
            put(out, "}}\n");
        }
    }

    fn extras(&self, exact: Option<&[u8]>, partial: bool, missing: Option<u64>, prefix: &str, out: &mut Vec<u8>) {
        if partial {
            put(out, &format!(",{prefix}partial\":true"));
        }
        if let Some(exact) = exact {
            put(out, &format!(",{prefix}bytes\":\""));
            base64(out, exact);
            out.push(b'"');
        }
        if let Some(missing) = missing {
            put(out, &format!(",{prefix}missing_bytes\":{missing}"));
        }
    }
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// A JSON string (RFC 8259, section 7). Control characters of terminals stand
/// escaped, those of U+007F to U+009F too.
fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => put(out, "\\\""),
            '\\' => put(out, "\\\\"),
            '\n' => put(out, "\\n"),
            '\r' => put(out, "\\r"),
            '\t' => put(out, "\\t"),
            c if c.is_control() => put(out, &format!("\\u{:04x}", u32::from(c))),
            c => put(out, c.encode_utf8(&mut [0; 4])),
        }
    }
    out.push(b'"');
}

/// RFC 4648, section 4.
fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let digit = usize::try_from(number >> (18 - 6 * i) & 63).ok().and_then(|digit| DIGITS.get(digit));
            out.push(if i <= group.len() { digit.copied().unwrap_or(b'=') } else { b'=' });
        }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
