//! `pmctl events`: what happened, and with `-f` what happens.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::follow::{Followed, Follower};
use crate::live::LiveLine;
use crate::output::{Format, Terminal, Tone, document, human};
use pm_proto::v1::event::Detail;
use pm_proto::v1::{Event, WatchEventsRequest};
use serde_json::json;

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl events
  pmctl events -f web --type \"instance.*\"
  pmctl events -f -o jsonl | jq .type")]
pub struct Args {
    /// Process names, instance ids or patterns; all when left out
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Go on with what happens from now on
    #[arg(short, long)]
    follow: bool,
    /// Begin with the newest this many [default: 50, with -f 10]
    #[arg(long, value_name = "N", conflicts_with = "from_revision")]
    tail: Option<u32>,
    /// Begin with this revision
    #[arg(long, value_name = "REVISION")]
    from_revision: Option<u64>,
    /// Event type or pattern; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
}

/// Shows events.
///
/// # Errors
/// The server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("events", async {
        let connection = context.connect().await?;
        let tail = match (args.from_revision, args.tail) {
            (Some(_), _) => 0,
            (None, Some(tail)) => tail,
            (None, None) => {
                if args.follow {
                    10
                } else {
                    50
                }
            }
        };
        let request = WatchEventsRequest {
            from_revision: args.from_revision.unwrap_or(0),
            tail,
            follow: args.follow,
            selectors: args.targets,
            types: args.types,
        };
        // Tail 0 without following asks for nothing.
        if !args.follow && tail == 0 && args.from_revision.is_none() {
            return finish(context, &[]).map(|()| Exit::Done);
        }
        let mut follower = Follower::new(connection, request, true);
        let mut kept = Vec::new();
        // One document can be written only when there is an end.
        let collect = !args.follow && matches!(context.format, Format::Json | Format::Yaml);
        loop {
            match follower.next().await? {
                Followed::Event(event) if collect => kept.push(*event),
                Followed::Event(event) => show(context, &event)?,
                Followed::Lost(failure) => {
                    context.terminal.note(format_args!("{}; trying again", failure.summary()));
                }
                Followed::End => break,
            }
        }
        if collect {
            finish(context, &kept)?;
        }
        Ok(Exit::Done)
    })
}

fn finish(context: &Context, events: &[Event]) -> Result<(), Failure> {
    match context.format {
        Format::Json | Format::Yaml => {
            let items = events.iter().map(pm_proto::json::to_value).collect::<Result<Vec<_>, _>>()?;
            document(&context.terminal, context.format, &json!({ "items": items }))
        }
        Format::Table | Format::Wide | Format::Jsonl | Format::Name => Ok(()),
    }
}

fn show(context: &Context, event: &Event) -> Result<(), Failure> {
    let terminal = &context.terminal;
    match context.format {
        Format::Table => {
            terminal.line(line(terminal, event))?;
            output(terminal, event)
        }
        Format::Wide => {
            terminal.line(format_args!("{:>8} {:<26} {}", event.revision, event.r#type, line(terminal, event)))?;
            output(terminal, event)
        }
        Format::Name => terminal.line(format_args!("event/{}", event.revision)),
        Format::Json | Format::Jsonl => terminal.line(pm_proto::json::to_value(event)?),
        Format::Yaml => {
            terminal.line("---")?;
            document(terminal, Format::Yaml, &pm_proto::json::to_value(event)?)
        }
    }
}

/// The last output of a program, below the event that it explains.
///
/// # Errors
/// It cannot be written.
pub fn output(terminal: &Terminal, event: &Event) -> Result<(), Failure> {
    let Some(Detail::Instance(instance)) = &event.detail else { return Ok(()) };
    instance.log_lines.iter().try_for_each(|line| {
        terminal.line(terminal.out.paint(Tone::Dim, format_args!("    | {}", human::shorten(line, 500))))
    })
}

fn line(terminal: &Terminal, event: &Event) -> String {
    LiveLine::of_event(event).render(terminal.out, 12, human::now())
}
