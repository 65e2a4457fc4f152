//! `pmctl nodes`: the servers, with their newest measurement.

use super::words::{condition, labels};
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Cell, Column, Listed, human, list};
use crate::pages;
use pm_proto::json::JsonError;
use pm_proto::v1::{ListLatestSamplesRequest, ListNodesRequest, Node, NodeSample};

pub(super) async fn run(context: &Context, connection: &Connection) -> Result<Exit, Failure> {
    let mut samples = connection.samples();
    let (answer, samples) = tokio::join!(
        pages::nodes(connection, "list nodes", ListNodesRequest::default()),
        connection.call("read measurements", samples.list_latest_samples(ListLatestSamplesRequest::default())),
    );
    let answer = answer?;
    // A list without measurements is still a list.
    let samples = samples.map(|samples| samples.nodes).unwrap_or_default();
    let rows: Vec<_> = answer
        .nodes
        .into_iter()
        .map(|node| {
            let sample = samples.iter().find(|sample| sample.node == node.name).cloned();
            NodeRow { node, sample }
        })
        .collect();
    list(&context.terminal, context.format, &rows, Some(answer.revision))?;
    Ok(Exit::Done)
}

struct NodeRow {
    node: Node,
    sample: Option<NodeSample>,
}

impl Listed for NodeRow {
    const COLUMNS: &'static [Column] = &[
        Column::text("NODE"),
        Column::text("STATE"),
        Column::number("SINCE"),
        Column::number("INSTANCES"),
        Column::number("CPUS"),
        Column::number("CPU"),
        Column::number("LOAD"),
        Column::text("MEMORY"),
        Column::text("RUNNER"),
        Column::text("LABELS").wide(),
        Column::text("BOOT").wide(),
    ];

    fn cells(&self, _: bool) -> Vec<Cell> {
        let (node, sample) = (&self.node, self.sample.as_ref());
        let (tone, state) = condition(node);
        let memory = match sample {
            Some(sample) => {
                format!("{} of {}", human::bytes(sample.memory_used_bytes), human::bytes(sample.memory_total_bytes))
            }
            None => human::bytes(node.memory_bytes),
        };
        vec![
            Cell::plain(&node.name),
            Cell::new(tone, state),
            Cell::plain(human::ago(human::time(node.state_time.as_ref()), human::now())),
            Cell::plain(node.instances.to_string()),
            Cell::plain(node.cpus.to_string()),
            Cell::optional(sample.map(|sample| format!("{:.1}%", sample.cpu_percent))),
            Cell::optional(sample.map(|sample| format!("{:.2}", sample.load1))),
            Cell::plain(memory),
            Cell::plain(&node.runner_version),
            Cell::plain(labels(node)),
            Cell::plain(&node.boot_id),
        ]
    }

    fn name(&self) -> String {
        format!("node/{}", self.node.name)
    }

    /// The node, and under `sample` its measurement.
    fn value(&self) -> Result<serde_json::Value, JsonError> {
        let mut value = pm_proto::json::to_value(&self.node)?;
        if let (Some(sample), Some(fields)) = (&self.sample, value.as_object_mut()) {
            fields.insert("sample".to_owned(), pm_proto::json::to_value(sample)?);
        }
        Ok(value)
    }
}
