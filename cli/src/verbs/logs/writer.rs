//! From chunks of logs to what is shown: bytes as they are, lines with a
//! prefix, or objects.

use super::escape::Escape;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Format, Terminal, Tone, human};
use chrono::{DateTime, SecondsFormat, Utc};
use pm_proto::v1::{LogChunk, LogEnd, LogStream};
use process_model::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;

/// A line longer than this is shown in pieces, so that no program can make
/// this one hold everything it writes.
const LONGEST_LINE: usize = 1024 * 1024;

/// Turns chunks into what is shown.
pub(super) struct Writer<'a> {
    terminal: &'a Terminal,
    mode: Mode,
    /// Control characters are made harmless: a person looks at it.
    escape: bool,
    timestamps: bool,
    /// By instance and output.
    outputs: BTreeMap<(String, i32), Begun>,
    ended: usize,
    failed: Vec<String>,
}

/// Where an output is.
#[derive(Default)]
struct Begun {
    /// A line without its end.
    line: Vec<u8>,
    /// When it was written.
    time: Option<Timestamp>,
    escape: Escape,
    /// The last byte shown was no line end.
    within_line: bool,
}

enum Mode {
    /// The bytes as they are.
    Raw,
    /// A prefix for each line: its width, and a number for each instance's colour.
    Prefixed { width: usize, numbers: BTreeMap<String, usize> },
    /// A JSON object for each line.
    Objects,
}

impl<'a> Writer<'a> {
    /// Nobody knowing the `ids`, each line says whose it is. `raw`: a terminal
    /// gets the bytes as they are, too.
    pub(super) fn new(context: &'a Context, ids: Option<&[String]>, raw: bool, timestamps: bool) -> Self {
        let single = ids.is_some_and(|ids| ids.len() <= 1);
        let ids = ids.unwrap_or_default();
        let mode = match context.format {
            Format::Json | Format::Jsonl | Format::Yaml => Mode::Objects,
            Format::Table | Format::Wide | Format::Name if single => Mode::Raw,
            Format::Table | Format::Wide | Format::Name => Mode::Prefixed {
                width: ids.iter().map(String::len).max().unwrap_or_default(),
                numbers: ids.iter().cloned().enumerate().map(|(number, id)| (id, number)).collect(),
            },
        };
        let escape = context.terminal.out_is_terminal && !raw;
        let (outputs, ended, failed) = (BTreeMap::new(), 0, Vec::new());
        Self { terminal: &context.terminal, mode, escape, timestamps, outputs, ended, failed }
    }

    /// Some bytes.
    pub(super) fn chunk(&mut self, chunk: &LogChunk) -> Result<(), Failure> {
        let key = (chunk.instance_id.clone(), chunk.stream);
        let mut begun = self.outputs.remove(&key).unwrap_or_default();
        let time = human::time(chunk.time.as_ref());
        if matches!(self.mode, Mode::Raw) {
            let bytes = self.as_it_is(&mut begun, &chunk.data, time);
            self.outputs.insert(key, begun);
            return self.terminal.bytes(&bytes);
        }
        for piece in chunk.data.split_inclusive(|byte| *byte == b'\n') {
            if begun.line.is_empty() {
                begun.time = time;
            }
            begun.line.extend_from_slice(piece);
            if begun.line.ends_with(b"\n") || begun.line.len() >= LONGEST_LINE {
                let line = std::mem::take(&mut begun.line);
                self.line(&chunk.instance_id, chunk.stream(), &line, begun.time)?;
            }
        }
        self.outputs.insert(key, begun);
        Ok(())
    }

    /// Bytes of the only instance; with times, one at the beginning of each line.
    fn as_it_is(&self, begun: &mut Begun, data: &[u8], time: Option<Timestamp>) -> Vec<u8> {
        if !self.timestamps && !self.escape {
            return data.to_vec();
        }
        let mut out = Vec::with_capacity(data.len());
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            if self.timestamps && !begun.within_line {
                out.extend_from_slice(stamp(time).as_bytes());
            }
            begun.within_line = !line.ends_with(b"\n");
            if self.escape {
                out.extend_from_slice(begun.escape.push(line).as_bytes());
            } else {
                out.extend_from_slice(line);
            }
        }
        out
    }

    fn line(&self, id: &str, stream: LogStream, line: &[u8], time: Option<Timestamp>) -> Result<(), Failure> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match &self.mode {
            Mode::Raw => self.terminal.bytes(line),
            Mode::Prefixed { width, numbers } => {
                let out = self.terminal.out;
                let tone = Tone::Source(numbers.get(id).copied().unwrap_or(numbers.len()));
                let bar = match stream {
                    LogStream::Stderr => out.paint(Tone::Bad, "!"),
                    LogStream::Stdout | LogStream::Unspecified => out.paint(Tone::Dim, "|"),
                };
                let stamp = if self.timestamps { stamp(time) } else { String::new() };
                let mut bytes = format!("{} {bar} {stamp}", out.paint(tone, format!("{id:<width$}"))).into_bytes();
                if self.escape {
                    let mut escape = Escape::default();
                    bytes.extend_from_slice(escape.push(line).as_bytes());
                    bytes.extend_from_slice(escape.finish().as_bytes());
                } else {
                    bytes.extend_from_slice(line);
                }
                bytes.push(b'\n');
                self.terminal.bytes(&bytes)
            }
            Mode::Objects => {
                let mut object = json!({
                    "instanceId": id,
                    "stream": stream_word(stream),
                    "line": String::from_utf8_lossy(line),
                });
                if let (Some(object), Some(time)) = (object.as_object_mut(), time) {
                    object.insert("time".to_owned(), rfc3339(time).into());
                }
                self.terminal.line(object)
            }
        }
    }

    /// An output ended.
    pub(super) fn end(&mut self, end: &LogEnd) -> Result<(), Failure> {
        if let Some(begun) = self.outputs.remove(&(end.instance_id.clone(), end.stream)) {
            self.rest(&end.instance_id, end.stream(), begun)?;
        }
        self.ended += 1;
        if !end.error.is_empty() {
            let what = format!("{} {}: {}", end.instance_id, stream_word(end.stream()), end.error);
            self.terminal.complain(format_args!("{} {what}", self.terminal.err.paint(Tone::Bad, "error:")));
            self.failed.push(what);
        }
        Ok(())
    }

    fn rest(&self, id: &str, stream: LogStream, mut begun: Begun) -> Result<(), Failure> {
        if !begun.line.is_empty() {
            self.line(id, stream, &begun.line, begun.time)?;
        }
        self.terminal.bytes(begun.escape.finish().as_bytes())
    }

    /// Everything was shown.
    pub(super) fn finish(mut self) -> Result<Exit, Failure> {
        for ((id, stream), begun) in std::mem::take(&mut self.outputs) {
            self.rest(&id, LogStream::try_from(stream).unwrap_or(LogStream::Unspecified), begun)?;
        }
        Ok(Exit::of_counts(self.ended.saturating_sub(self.failed.len()), self.failed.len()))
    }
}

/// What stands before a line; a time that nobody knows is a dash.
fn stamp(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "- ".to_owned(), |time| rfc3339(time) + " ")
}

/// To the second, as far as it is known.
fn rfc3339(time: Timestamp) -> String {
    DateTime::<Utc>::from_timestamp(time.seconds(), 0)
        .map_or_else(String::new, |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn stream_word(stream: LogStream) -> &'static str {
    match stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
        LogStream::Unspecified => "output",
    }
}
