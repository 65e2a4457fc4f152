//! `pmctl nodes status`: all that is known of one node.

use super::words::{condition, labels};
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Tone, document, human};
use crate::pages;
use crate::verbs::instance_row::state;
use pm_proto::v1::{GetNodeRequest, Instance, ListInstancesRequest, Node};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  pmctl nodes status server-7")]
pub(super) struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    node: String,
}

pub(super) async fn run(context: &Context, connection: &Connection, args: Args) -> Result<Exit, Failure> {
    let what = format!("look at node {}", args.node);
    let request = GetNodeRequest { name: args.node.clone(), stale: false };
    let node = connection.call(&what, connection.nodes().get_node(request)).await?.node.unwrap_or_default();
    let request = ListInstancesRequest { node: args.node, ..ListInstancesRequest::default() };
    let instances = pages::instances(connection, &what, request).await?.instances;
    let terminal = &context.terminal;
    if context.format.is_machine() {
        if context.format == crate::output::Format::Name {
            terminal.line(format_args!("node/{}", node.name))?;
        } else {
            let all = instances.iter().map(pm_proto::json::to_value).collect::<Result<Vec<Value>, _>>()?;
            document(terminal, context.format, &json!({ "node": pm_proto::json::to_value(&node)?, "instances": all }))?;
        }
        return Ok(Exit::Done);
    }
    let (tone, word) = condition(&node);
    let since = human::ago(human::time(node.state_time.as_ref()), human::now());
    let title = terminal.out.paint(Tone::Title, &node.name).to_string();
    terminal.line(format_args!("{title}: {} (since {since})", terminal.out.paint(tone, word)))?;
    for (name, value) in facts(&node) {
        terminal.line(format_args!("  {name:<12}{value}"))?;
    }
    terminal.line(terminal.out.paint(Tone::Title, format!("instances: {}", instances.len())))?;
    instances.iter().try_for_each(|one| terminal.line(format_args!("  {:<24}{}", one.id, said(one))))?;
    Ok(Exit::Done)
}

fn said(instance: &Instance) -> String {
    let moving = if instance.removing { ", leaves the node" } else { "" };
    format!("{}{moving}", state(instance))
}

/// What is known, by name.
fn facts(node: &Node) -> Vec<(&'static str, String)> {
    let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let system: Vec<&str> =
        [&node.os, &node.kernel, &node.arch].into_iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    let cpu = |millis: u64| format!("{}.{:03}", millis / 1_000, millis % 1_000);
    let mut facts = vec![
        ("labels", or_none(labels(node))),
        ("system", or_none(system.join(" "))),
        ("runner", or_none(node.runner_version.clone())),
        ("boot", or_none(node.boot_id.clone())),
        ("cpu", format!("{} of {} reserved", cpu(node.reserved_cpu_millis), node.cpus)),
        (
            "memory",
            format!("{} of {} reserved", human::bytes(node.reserved_memory_bytes), human::bytes(node.memory_bytes)),
        ),
    ];
    if let Some(drain) = &node.drain {
        facts.push(("drain", drained(drain)));
    }
    facts
}

fn drained(drain: &pm_proto::v1::NodeDrain) -> String {
    if drain.done_time.is_some() {
        return "done: nothing is left but daemons and what has ended".to_owned();
    }
    let left = human::count(drain.left as usize, "instance", "instances");
    let deadline = match human::time(drain.deadline.as_ref()) {
        Some(_) if drain.overdue => "the deadline is over".to_owned(),
        Some(at) => format!("deadline in {}", human::duration(human::between(human::now(), at))),
        None => "without a deadline".to_owned(),
    };
    format!("{left} left, {deadline}; `pmctl explain placement NAME` tells why one is still there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_node_is_told_and_what_is_not_has_a_dash() {
        let node = Node {
            cpus: 4,
            reserved_cpu_millis: 1_500,
            memory_bytes: 8 << 30,
            labels: [("zone".to_owned(), "eu".to_owned())].into(),
            ..Node::default()
        };
        let facts = facts(&node);
        let of = |name: &str| facts.iter().find(|(one, _)| *one == name).unwrap().1.clone();
        assert_eq!(of("labels"), "zone=eu");
        assert_eq!(of("cpu"), "1.500 of 4 reserved");
        assert_eq!(of("system"), "-");
    }
}
