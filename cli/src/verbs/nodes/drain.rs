//! `pmctl nodes drain`: what a node has goes elsewhere, and one can look on.

use super::change::tell;
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::follow::{Followed, Follower};
use crate::output::{Tone, confirm, human};
use pm_proto::convert::duration_to_wire;
use pm_proto::v1::{DrainNodeRequest, Event, GetNodeRequest, Node, WatchEventsRequest};
use process_model::event_type;
use std::io::IsTerminal;
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl nodes drain server-7 --wait                  as long as it takes
  pmctl nodes drain server-7 --deadline 10m --wait   what is left then is stopped, wherever it goes
  pmctl nodes uncordon server-7                      ends it")]
pub(super) struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    node: String,
    /// After so long what is left is stopped [default: it is waited for]
    #[arg(long, value_parser = humantime::parse_duration, value_name = "DURATION")]
    deadline: Option<Duration>,
    /// Wait until nothing is left but daemons and what has ended
    #[arg(long)]
    wait: bool,
    /// Longest wait; the drain goes on after it (exit code 6) [default: no limit]
    #[arg(long, requires = "wait", value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Option<Duration>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn run(context: &Context, connection: &Connection, args: Args) -> Result<Exit, Failure> {
    let what = format!("drain node {}", args.node);
    if !args.yes && !agreed(connection, &what, &args.node).await? {
        context.terminal.note("nothing was drained");
        return Ok(Exit::Failed);
    }
    let request = DrainNodeRequest {
        name: args.node.clone(),
        deadline: args.deadline.map(duration_to_wire),
        request_id: uuid::Uuid::new_v4().to_string(),
        reason: args.reason,
    };
    let answer = connection.call(&what, connection.nodes().drain_node(request)).await?;
    let node = answer.node.unwrap_or_default();
    if !args.wait || is_done(&node) {
        return tell(context, &node);
    }
    say(context, &node, answer.revision, connection, args.timeout).await
}

/// Only a person is asked: a script has no one to answer.
async fn agreed(connection: &Connection, what: &str, name: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(true);
    }
    let request = GetNodeRequest { name: name.to_owned(), stale: false };
    let node = connection.call(what, connection.nodes().get_node(request)).await?.node.unwrap_or_default();
    let count = human::count(node.instances as usize, "instance", "instances");
    confirm(&format!("drain node {name}, which has {count}?"))
}

fn is_done(node: &Node) -> bool {
    node.drain.as_ref().is_some_and(|drain| drain.done_time.is_some())
}

/// What an event means to whoever waits.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// It goes on.
    Told(String),
    /// Nothing is left.
    Done,
    /// Somebody ended the drain, or removed the node.
    Ended(String),
}

fn step(event: &Event) -> Step {
    match event.r#type.as_str() {
        event_type::NODE_DRAINED => Step::Done,
        event_type::NODE_UNCORDONED | event_type::NODE_REMOVED => Step::Ended(event.message.clone()),
        _ => Step::Told(event.message.clone()),
    }
}

async fn say(
    context: &Context,
    node: &Node,
    revision: u64,
    connection: &Connection,
    timeout: Option<Duration>,
) -> Result<Exit, Failure> {
    let terminal = &context.terminal;
    let left = node.drain.as_ref().map_or(0, |drain| drain.left);
    terminal.note(format_args!(
        "{} to leave {}",
        human::count(left as usize, "instance has", "instances have"),
        node.name
    ));
    let types = [
        event_type::INSTANCE_MOVING,
        event_type::INSTANCE_REMOVED,
        event_type::NODE_DRAINING,
        event_type::NODE_DRAINED,
        event_type::NODE_UNCORDONED,
        event_type::NODE_REMOVED,
        event_type::NODE_LOST,
        event_type::NODE_READY,
    ];
    let request = WatchEventsRequest {
        from_revision: revision.saturating_add(1),
        follow: true,
        types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        node: node.name.clone(),
        ..WatchEventsRequest::default()
    };
    let mut follower = Follower::new(connection.clone(), request, true);
    let done = async {
        loop {
            match follower.next().await? {
                Followed::Event(event) => match step(&event) {
                    Step::Told(text) => terminal.note(text),
                    Step::Done => return Ok(Exit::Done),
                    Step::Ended(text) => return Err(Failure::failed(format!("the drain was ended: {text}"))),
                },
                Followed::Lost(failure) => terminal.note(failure),
                Followed::End => return Ok(Exit::Done),
            }
        }
    };
    let exit = match timeout {
        None => done.await?,
        Some(timeout) => tokio::time::timeout(timeout, done).await.map_err(|_| {
            let after = humantime::format_duration(timeout);
            Failure::new(Exit::TimedOut, format!("node {} is not drained after {after}; the drain goes on", node.name))
                .help("`pmctl nodes status NODE` shows what is left, `pmctl explain placement NAME` why")
        })??,
    };
    if context.format.is_machine() {
        let request = GetNodeRequest { name: node.name.clone(), stale: false };
        let answer = connection.call("look at the node", connection.nodes().get_node(request)).await?;
        return tell(context, &answer.node.unwrap_or_default());
    }
    terminal.line(terminal.out.paint(Tone::Good, format!("node/{} is drained", node.name)))?;
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_is_over_when_nothing_is_left_or_somebody_ends_it() {
        let event = |kind: &str| Event { r#type: kind.to_owned(), message: "m".to_owned(), ..Event::default() };
        assert_eq!(step(&event("node.drained")), Step::Done);
        assert_eq!(step(&event("node.uncordoned")), Step::Ended("m".to_owned()));
        assert_eq!(step(&event("node.removed")), Step::Ended("m".to_owned()));
        assert_eq!(step(&event("instance.moving")), Step::Told("m".to_owned()));
    }
}
