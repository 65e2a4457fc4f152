//! `pmctl explain placement`: where instances are and why, and what each node
//! is for one more.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Format, Tone, document, human};
use pm_proto::v1::{GetPlacementRequest, GetPlacementResponse, PlacementCandidate, PlacementStrategy};

/// Nodes that are shown of those that can, and of those that cannot; all with
/// `-o wide`.
const SHOWN: usize = 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl explain placement web
  pmctl explain placement web-3 -o wide     every node")]
pub(super) struct Args {
    /// Process name, or instance id
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("explain", async {
        let connection = context.connect().await?;
        let what = format!("explain the placement of {}", args.name);
        let request = GetPlacementRequest { name: args.name, stale: false };
        let told = connection.call(&what, connection.nodes().get_placement(request)).await?;
        let terminal = &context.terminal;
        match context.format {
            Format::Json | Format::Yaml | Format::Jsonl => {
                document(terminal, context.format, &pm_proto::json::to_value(&told)?)?;
            }
            Format::Name => terminal.line(format_args!("process/{}", told.process))?,
            Format::Table | Format::Wide => {
                let most = if context.format == Format::Wide { usize::MAX } else { SHOWN };
                for line in lines(&told, most) {
                    match line {
                        Line::Title(text) => terminal.line(terminal.out.paint(Tone::Title, text))?,
                        Line::Text(text) => terminal.line(format_args!("  {text}"))?,
                    }
                }
            }
        }
        Ok(Exit::Done)
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Title(String),
    Text(String),
}

fn lines(told: &GetPlacementResponse, most: usize) -> Vec<Line> {
    let mut lines = vec![Line::Title(format!("{}: {}", told.process, way(told)))];
    lines.extend(told.instances.iter().map(|one| Line::Text(format!("{:<24}{}", one.id, one.why))));
    if told.instances.is_empty() {
        lines.push(Line::Text("it has no instances".to_owned()));
    }
    let (can, cannot): (Vec<_>, Vec<_>) = told.nodes.iter().partition(|node| node.exclusion.is_empty());
    let nodes = human::count(told.node_count as usize, "node", "nodes");
    if can.is_empty() {
        lines.push(Line::Title(format!("none of {nodes} can take one more")));
    } else {
        let count = can.len();
        lines.push(Line::Title(format!("{count} of {nodes} can take one more, the best first")));
        lines.extend(can.iter().take(most).map(|node| Line::Text(format!("{:<24}{}", node.node, scored(told, node)))));
        lines.extend(more(count, most));
    }
    if !cannot.is_empty() {
        lines.push(Line::Title("the others cannot".to_owned()));
        let reasons = told.exclusions.iter();
        lines.extend(
            reasons.map(|why| {
                Line::Text(format!("{}: {}", human::count(why.nodes as usize, "node", "nodes"), why.reason))
            }),
        );
        lines.extend(cannot.iter().take(most).map(|node| Line::Text(format!("{:<24}{}", node.node, node.exclusion))));
        lines.extend(more(cannot.len(), most));
    }
    lines
}

fn more(count: usize, most: usize) -> Option<Line> {
    let rest = count.saturating_sub(most);
    (rest > 0).then(|| Line::Text(format!("and {rest} more; -o wide shows all")))
}

/// How its nodes are chosen.
fn way(told: &GetPlacementResponse) -> String {
    if told.daemon {
        return "one on each node that can be".to_owned();
    }
    match (told.strategy(), told.spread_by.as_str()) {
        (PlacementStrategy::BinPack, "") => "bin-pack: the fullest node that has room".to_owned(),
        (PlacementStrategy::BinPack, label) => format!("spread over {label}, then the fullest node that has room"),
        (PlacementStrategy::Spread | PlacementStrategy::Unspecified, "") => {
            "spread: the node with the fewest of it, then with the fewest instances".to_owned()
        }
        (PlacementStrategy::Spread | PlacementStrategy::Unspecified, label) => {
            format!("spread over {label}, then the node with the fewest of it, then with the fewest instances")
        }
    }
}

fn scored(told: &GetPlacementResponse, node: &PlacementCandidate) -> String {
    let mut text =
        format!("{} of it, {} in all", node.own, human::count(node.instances as usize, "instance", "instances"));
    if !told.spread_by.is_empty() {
        let value = if node.spread_value.is_empty() { "no value" } else { node.spread_value.as_str() };
        text = format!("{}: {value} has {} of it; {text}", told.spread_by, node.spread_own);
    }
    let millis = node.free_cpu_millis;
    format!("{text}; free: {}.{:03} CPU, {}", millis / 1_000, millis % 1_000, human::bytes(node.free_memory_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::v1::{PlacedInstance, PlacementExclusion};

    #[test]
    fn who_waits_is_told_how_many_nodes_fail_for_which_reason() {
        let cannot = |node: &str, why: &str| PlacementCandidate {
            node: node.to_owned(),
            exclusion: why.to_owned(),
            ..PlacementCandidate::default()
        };
        let told = GetPlacementResponse {
            process: "web".to_owned(),
            instances: vec![PlacedInstance {
                id: "web-1".to_owned(),
                why: "it waits: no node can take it".to_owned(),
                ..PlacedInstance::default()
            }],
            nodes: vec![cannot("a", "it is cordoned"), cannot("b", "it is cordoned")],
            exclusions: vec![PlacementExclusion { reason: "cordoned".to_owned(), nodes: 2 }],
            node_count: 2,
            ..GetPlacementResponse::default()
        };
        let text = |lines: Vec<Line>| -> Vec<String> {
            lines
                .into_iter()
                .map(|line| match line {
                    Line::Title(text) | Line::Text(text) => text,
                })
                .collect()
        };
        let lines = text(lines(&told, 1));
        assert_eq!(lines[1], format!("{:<24}it waits: no node can take it", "web-1"));
        assert_eq!(lines[2], "none of 2 nodes can take one more");
        assert_eq!(
            &lines[4..],
            ["2 nodes: cordoned", &format!("{:<24}it is cordoned", "a"), "and 1 more; -o wide shows all"]
        );
    }
}
