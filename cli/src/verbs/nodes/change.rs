//! `pmctl nodes cordon`, `uncordon`, `label` and `remove`.

use super::words::{condition, labels};
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Format, confirm, document};
use pm_proto::v1::{LabelNodeRequest, Node, RemoveNodeRequest, SetNodeSchedulableRequest};
use process_model::label;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::IsTerminal;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  pmctl nodes cordon server-7 --reason \"disk is failing\"")]
pub(super) struct Cordon {
    /// The node
    #[arg(value_name = "NODE")]
    node: String,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl nodes label server-7 zone=eu-1 disk=ssd
  pmctl nodes label server-7 gpu-        it has none of this name, whatever its runner says")]
pub(super) struct Label {
    /// The node
    #[arg(value_name = "NODE")]
    node: String,
    /// NAME=VALUE, or NAME- for none
    #[arg(required = true, value_name = "LABEL")]
    labels: Vec<String>,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  pmctl nodes remove server-7            after a drain, with its runner stopped")]
pub(super) struct Remove {
    /// The node
    #[arg(value_name = "NODE")]
    node: String,
    /// Even if it is ready or has instances: these are started elsewhere, although they may be running
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn cordon(
    context: &Context,
    connection: &Connection,
    args: Cordon,
    schedulable: bool,
) -> Result<Exit, Failure> {
    let what = format!("{} node {}", if schedulable { "uncordon" } else { "cordon" }, args.node);
    let request = SetNodeSchedulableRequest {
        name: args.node,
        schedulable,
        request_id: uuid::Uuid::new_v4().to_string(),
        reason: args.reason,
    };
    let answer = connection.call(&what, connection.nodes().set_node_schedulable(request)).await?;
    tell(context, &answer.node.unwrap_or_default())
}

pub(super) async fn label(context: &Context, connection: &Connection, args: Label) -> Result<Exit, Failure> {
    let what = format!("label node {}", args.node);
    let request = LabelNodeRequest {
        name: args.node,
        labels: read(&args.labels)?,
        request_id: uuid::Uuid::new_v4().to_string(),
        reason: args.reason,
    };
    let answer = connection.call(&what, connection.nodes().label_node(request)).await?;
    let node = answer.node.unwrap_or_default();
    if context.format.is_machine() {
        return tell(context, &node);
    }
    let labels = labels(&node);
    let labels = if labels.is_empty() { "no labels" } else { labels.as_str() };
    context.terminal.line(format_args!("node/{} has {labels}", node.name))?;
    Ok(Exit::Done)
}

/// Labels as they are written: an empty text where there is to be none.
fn read(texts: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut labels = BTreeMap::new();
    for text in texts {
        let (name, value) = match text.strip_suffix('-').filter(|_| !text.contains('=')) {
            Some(name) => label::check_name(name).map(|()| (name.to_owned(), String::new())),
            None => label::parse(text),
        }
        .map_err(|wrong| Failure::usage(wrong.to_string()))?;
        if labels.insert(name.clone(), value).is_some() {
            return Err(Failure::usage(format!("label {name:?} is there twice; give each once")));
        }
    }
    Ok(labels)
}

pub(super) async fn remove(context: &Context, connection: &Connection, args: Remove) -> Result<Exit, Failure> {
    let is_asked = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let question =
        format!("give node {} up, and start its instances elsewhere although they may be running?", args.node);
    if args.force && !args.yes && is_asked && !confirm(&question)? {
        context.terminal.note("nothing was removed");
        return Ok(Exit::Failed);
    }
    let what = format!("remove node {}", args.node);
    let request = RemoveNodeRequest {
        name: args.node.clone(),
        force: args.force,
        request_id: uuid::Uuid::new_v4().to_string(),
        reason: args.reason,
    };
    let answer = connection.call(&what, connection.nodes().remove_node(request)).await?;
    match context.format {
        Format::Table | Format::Wide => context.terminal.line(format_args!("node/{} removed", args.node))?,
        Format::Name => context.terminal.line(format_args!("node/{}", args.node))?,
        Format::Json | Format::Yaml | Format::Jsonl => {
            let value = json!({ "name": args.node, "revision": answer.revision.to_string() });
            document(&context.terminal, context.format, &value)?;
        }
    }
    Ok(Exit::Done)
}

/// The node as it is now.
pub(super) fn tell(context: &Context, node: &Node) -> Result<Exit, Failure> {
    match context.format {
        Format::Table | Format::Wide => {
            let (tone, word) = condition(node);
            let word = context.terminal.out.paint(tone, word);
            context.terminal.line(format_args!("node/{} is {word}", node.name))?;
        }
        Format::Name => context.terminal.line(format_args!("node/{}", node.name))?,
        Format::Json | Format::Yaml | Format::Jsonl => {
            document(&context.terminal, context.format, &pm_proto::json::to_value(node)?)?;
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn labels_are_set_with_a_value_and_taken_away_with_a_dash() {
        let of = |texts: &[&str]| read(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let labels = of(&["zone=eu-1", "gpu-", "disk=a-"]).unwrap();
        let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(labels, [("disk", "a-"), ("gpu", ""), ("zone", "eu-1")]);
        for bad in [&["zone"][..], &["-"], &["node.cpus=4"], &["a=1", "a-"], &["zone="]] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }
}
