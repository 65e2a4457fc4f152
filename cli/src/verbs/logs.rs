//! `pmctl logs`: what programs wrote. One instance alone is passed through
//! byte by byte; several get a prefix for each line.

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Format, Terminal, Tone};
use clap::ValueEnum;
use pm_proto::v1::read_logs_response::Frame;
use pm_proto::v1::{ListInstancesRequest, LogChunk, LogEnd, LogStream, ReadLogsRequest};
use serde_json::json;
use std::collections::BTreeMap;

/// A line longer than this is shown in pieces, so that no program can make
/// this one hold everything it writes.
const LONGEST_LINE: usize = 1024 * 1024;

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl logs web
  pmctl logs -f --tail 20 \"web-*\"
  pmctl logs web-1 --stream stderr > errors.txt

One instance alone: the bytes as they are. Several: each line with its instance
in front, `|` for standard output and `!` for standard error.")]
pub struct Args {
    /// Process names, instance ids or patterns
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
    /// Go on with what is written from now on
    #[arg(short, long)]
    follow: bool,
    /// Only the last this many lines of each file
    #[arg(long, value_name = "N")]
    tail: Option<u32>,
    /// Only this output
    #[arg(long, value_enum, value_name = "STREAM")]
    stream: Option<Output>,
}

/// One of a program's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Stdout,
    Stderr,
}

fn wire(output: Option<Output>) -> LogStream {
    match output {
        Some(Output::Stdout) => LogStream::Stdout,
        Some(Output::Stderr) => LogStream::Stderr,
        None => LogStream::Unspecified,
    }
}

/// Shows the logs.
///
/// # Errors
/// Nothing matches, or nothing can be read.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("logs", async {
        let connection = context.connect().await?;
        let what = format!("read the logs of {}", args.targets.join(" "));
        let ids = match matching(&connection, &what, &args.targets).await {
            // Logs come from the nodes, not from the registry: they can be read without it.
            Err(failure) if failure.exit() == Exit::Unreachable => None,
            ids => Some(ids?),
        };
        let request = ReadLogsRequest {
            selectors: args.targets,
            tail: args.tail,
            follow: args.follow,
            stream: wire(args.stream).into(),
        };
        let refused = |status: tonic::Status| connection.refused(&what, &status);
        let mut stream = connection.logs().read_logs(request).await.map_err(refused)?.into_inner();
        let mut writer = Writer::new(context, ids.as_deref());
        while let Some(frame) = stream.message().await.map_err(refused)? {
            match frame.frame {
                Some(Frame::Chunk(chunk)) => writer.chunk(&chunk)?,
                Some(Frame::End(end)) => writer.end(&end)?,
                // A frame of a newer server that means nothing to us.
                None => {}
            }
        }
        writer.finish()
    })
}

/// The ids of the instances; several decide that lines get prefixes.
async fn matching(connection: &Connection, what: &str, targets: &[String]) -> Result<Vec<String>, Failure> {
    let mut instances = connection.instances();
    let request = ListInstancesRequest { selectors: targets.to_vec(), ..ListInstancesRequest::default() };
    let answer = connection.call(what, instances.list_instances(request)).await?;
    Ok(answer.instances.into_iter().map(|instance| instance.id).collect())
}

/// Turns chunks into what is shown.
struct Writer<'a> {
    terminal: &'a Terminal,
    mode: Mode,
    /// Begun lines, by instance and output.
    begun: BTreeMap<(String, i32), Vec<u8>>,
    ended: usize,
    failed: Vec<String>,
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
    /// Nobody knowing the `ids`, each line says whose it is.
    fn new(context: &'a Context, ids: Option<&[String]>) -> Self {
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
        Self { terminal: &context.terminal, mode, begun: BTreeMap::new(), ended: 0, failed: Vec::new() }
    }

    fn chunk(&mut self, chunk: &LogChunk) -> Result<(), Failure> {
        if matches!(self.mode, Mode::Raw) {
            return self.terminal.bytes(&chunk.data);
        }
        let mut line = self.begun.remove(&(chunk.instance_id.clone(), chunk.stream)).unwrap_or_default();
        for piece in chunk.data.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(piece);
            if line.ends_with(b"\n") || line.len() >= LONGEST_LINE {
                self.line(&chunk.instance_id, chunk.stream(), &line)?;
                line.clear();
            }
        }
        if !line.is_empty() {
            self.begun.insert((chunk.instance_id.clone(), chunk.stream), line);
        }
        Ok(())
    }

    fn line(&self, id: &str, stream: LogStream, line: &[u8]) -> Result<(), Failure> {
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
                let mut bytes = format!("{} {bar} ", out.paint(tone, format!("{id:<width$}"))).into_bytes();
                bytes.extend_from_slice(line);
                bytes.push(b'\n');
                self.terminal.bytes(&bytes)
            }
            Mode::Objects => self.terminal.line(json!({
                "instanceId": id,
                "stream": stream_word(stream),
                "line": String::from_utf8_lossy(line),
            })),
        }
    }

    fn end(&mut self, end: &LogEnd) -> Result<(), Failure> {
        if let Some(line) = self.begun.remove(&(end.instance_id.clone(), end.stream)) {
            self.line(&end.instance_id, end.stream(), &line)?;
        }
        self.ended += 1;
        if !end.error.is_empty() {
            let what = format!("{} {}: {}", end.instance_id, stream_word(end.stream()), end.error);
            self.terminal.complain(format_args!("{} {what}", self.terminal.err.paint(Tone::Bad, "error:")));
            self.failed.push(what);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Exit, Failure> {
        for ((id, stream), line) in std::mem::take(&mut self.begun) {
            let stream = LogStream::try_from(stream).unwrap_or(LogStream::Unspecified);
            self.line(&id, stream, &line)?;
        }
        Ok(Exit::of_counts(self.ended.saturating_sub(self.failed.len()), self.failed.len()))
    }
}

fn stream_word(stream: LogStream) -> &'static str {
    match stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
        LogStream::Unspecified => "output",
    }
}
