//! `pmctl logs`: what programs wrote. One instance alone is passed through
//! byte by byte; several get a prefix for each line.

mod escape;
mod reading;
mod writer;

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::moment::moment;
use crate::pages;
use clap::ValueEnum;
use pm_proto::convert::timestamp_to_wire;
use pm_proto::v1::read_logs_response::Frame;
use pm_proto::v1::{ListInstancesRequest, LogStream, ReadLogsRequest};
use process_model::Timestamp;
use reading::{Read, Reading};
use writer::Writer;

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl logs web
  pmctl logs -f --tail 20 \"web-*\"
  pmctl logs web-1 --stream stderr > errors.txt
  pmctl logs web --since 10m --grep 'timeout|refused'
  pmctl logs web-1 --previous --tail 50

One instance alone: the bytes as they are. Several: each line with its instance
in front, `|` for standard output and `!` for standard error. On a terminal,
control characters are shown as `\\x1b`.")]
pub struct Args {
    /// Process names, instance ids or patterns
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
    /// Go on with what is written from now on, across rotation and restarts
    #[arg(short, long)]
    follow: bool,
    /// Only the last this many lines of each output
    #[arg(long, value_name = "N")]
    tail: Option<u32>,
    /// Only this output
    #[arg(long, value_enum, value_name = "STREAM")]
    stream: Option<Output>,
    /// Only what was written since then: `10m` ago, or an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = false)]
    since: Option<Timestamp>,
    /// Only what was written until then
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "follow")]
    until: Option<Timestamp>,
    /// Only lines in which this regular expression is found
    #[arg(long, value_name = "REGEX")]
    grep: Option<String>,
    /// What the run before the last one wrote
    #[arg(long, conflicts_with = "follow")]
    previous: bool,
    /// The time, to a second, in front of each line
    #[arg(long)]
    timestamps: bool,
    /// Control characters as they are, on a terminal too
    #[arg(long)]
    raw: bool,
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
            since: args.since.map(timestamp_to_wire),
            until: args.until.map(timestamp_to_wire),
            grep: args.grep.unwrap_or_default(),
            previous: args.previous,
            cursors: Vec::new(),
            timestamps: args.timestamps,
        };
        let mut reading = Reading::new(connection, request, what);
        let mut writer = Writer::new(context, ids.as_deref(), args.raw, args.timestamps);
        loop {
            match reading.next().await? {
                Read::Frame(Frame::Chunk(chunk)) => writer.chunk(&chunk)?,
                Read::Frame(Frame::End(end)) => writer.end(&end)?,
                Read::Lost(why) => context.terminal.note(format_args!("{why}; trying again")),
                Read::Over => return writer.finish(),
            }
        }
    })
}

/// The ids of the instances; several decide that lines get prefixes.
async fn matching(connection: &Connection, what: &str, targets: &[String]) -> Result<Vec<String>, Failure> {
    let request = ListInstancesRequest { selectors: targets.to_vec(), ..ListInstancesRequest::default() };
    let answer = pages::instances(connection, what, request).await?;
    Ok(answer.instances.into_iter().map(|instance| instance.id).collect())
}
