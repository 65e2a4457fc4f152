//! `pmctl events`: what happened, and with `-f` what happens.

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::follow::{Followed, Follower};
use crate::live::LiveLine;
use crate::moment::moment;
use crate::output::{Format, Terminal, Tone, document, human};
use pm_proto::convert::timestamp_to_wire;
use pm_proto::v1::event::Detail;
use pm_proto::v1::{Event, ListEventsRequest, WatchEventsRequest};
use process_model::Timestamp;
use serde_json::json;

/// Events in one answer.
const PAGE: u32 = 1_000;

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl events
  pmctl events web --since 1h --type \"instance.*\"
  pmctl events --node alpha --tail 20
  pmctl events -f -o jsonl | jq .type")]
pub struct Args {
    /// Process names, instance ids or patterns; all when left out
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Go on with what happens from now on
    #[arg(short, long)]
    follow: bool,
    /// Begin with the newest this many [default: 50, with -f 10, with --since all]
    #[arg(long, value_name = "N", conflicts_with = "from_revision")]
    tail: Option<u32>,
    /// Begin with this revision
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["since", "until"])]
    from_revision: Option<u64>,
    /// Only what happened since then: `10m` ago, or an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only what happened before then
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "follow")]
    until: Option<Timestamp>,
    /// Only what happened on this node
    #[arg(long, value_name = "NODE", default_value = "", hide_default_value = true)]
    node: String,
    /// Event type or pattern; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
}

impl Args {
    /// How many of the newest stored events are shown.
    fn most(&self) -> u32 {
        match (self.tail, self.since) {
            (Some(tail), _) => tail,
            (None, Some(_)) => u32::MAX,
            (None, None) if self.follow => 10,
            (None, None) => 50,
        }
    }
}

/// Shows events.
///
/// # Errors
/// The server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("events", async {
        let connection = context.connect().await?;
        // One document can be written only when there is an end.
        let collect = !args.follow && matches!(context.format, Format::Json | Format::Yaml);
        let mut kept = Vec::new();
        let from_revision = match args.from_revision {
            Some(revision) => revision,
            None => {
                let (stored, revision) = stored(&connection, &args).await?;
                if collect {
                    kept = stored;
                } else {
                    stored.iter().try_for_each(|event| show(context, event))?;
                }
                // Nothing falls between what is stored and what is followed.
                revision + 1
            }
        };
        if args.follow || args.from_revision.is_some() {
            follow(context, connection, args, from_revision, collect.then_some(&mut kept)).await?;
        }
        if collect {
            finish(context, &kept)?;
        }
        Ok(Exit::Done)
    })
}

/// The newest stored events, oldest first, and the revision that they reach to.
async fn stored(connection: &Connection, args: &Args) -> Result<(Vec<Event>, u64), Failure> {
    let mut left = args.most();
    let mut request = ListEventsRequest {
        selectors: args.targets.clone(),
        node: args.node.clone(),
        types: args.types.clone(),
        since: args.since.map(timestamp_to_wire),
        until: args.until.map(timestamp_to_wire),
        ..ListEventsRequest::default()
    };
    let (mut events, mut revision) = (Vec::new(), None);
    loop {
        // None are wanted: one is asked for, since its answer has the revision.
        request.page_size = left.clamp(1, PAGE);
        let mut client = connection.events();
        let page = connection.call("list events", client.list_events(request.clone())).await?;
        let taken = page.events.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX));
        let before = events.len();
        events.extend(taken);
        left -= u32::try_from(events.len() - before).unwrap_or(left);
        let reached = *revision.get_or_insert(page.revision);
        if left == 0 || page.next_page_token.is_empty() {
            events.reverse();
            return Ok((events, reached));
        }
        request.page_token = page.next_page_token;
    }
}

/// Shows, or keeps, what comes from a revision on.
async fn follow(
    context: &Context,
    connection: Connection,
    args: Args,
    from_revision: u64,
    mut kept: Option<&mut Vec<Event>>,
) -> Result<(), Failure> {
    let request = WatchEventsRequest {
        from_revision,
        follow: args.follow,
        selectors: args.targets,
        types: args.types,
        node: args.node.clone(),
        ..WatchEventsRequest::default()
    };
    let mut follower = Follower::new(connection, request, true);
    loop {
        match follower.next().await? {
            // A registry of an earlier version does not know of nodes.
            Followed::Event(event) if !args.node.is_empty() && event.node != args.node => {}
            Followed::Event(event) => match &mut kept {
                Some(kept) => kept.push(*event),
                None => show(context, &event)?,
            },
            Followed::Lost(failure) => {
                context.terminal.note(format_args!("{}; trying again", failure.summary()));
            }
            Followed::End => return Ok(()),
        }
    }
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
