//! The messages between runner and monitor, from the wire and to it.

use super::{fault, stream_from_wire, stream_to_wire};
use monitor_domain::tails::{Output, Outputs, ToRunner};
use pm_proto::convert::{WireFault, timestamp_to_wire};
use pm_proto::v1;
use pm_proto::v1::run_intake_request::Message as Up;
use pm_proto::v1::run_intake_response::Message as Down;
use process_model::{InstanceId, InstanceSample, NodeName, NodeSample};
use std::collections::BTreeSet;
use tonic::Status;

/// One message from a runner, checked.
#[derive(Debug)]
pub(super) enum FromRunner {
    Hello(NodeName),
    Inventory(BTreeSet<InstanceId>),
    Samples { instances: Vec<InstanceSample>, node: Option<NodeSample> },
    Chunk { request: u64, instance: InstanceId, output: Output, chunk: v1::LogChunk },
    End { request: u64, output: Option<Output>, error: String },
    Unknown,
}

/// # Errors
/// INVALID_ARGUMENT that names the field.
pub(super) fn from_wire(message: v1::RunIntakeRequest) -> Result<FromRunner, Status> {
    Ok(match message.message {
        None => FromRunner::Unknown,
        Some(Up::Hello(hello)) => FromRunner::Hello(
            hello.node.parse().map_err(|error| fault("hello.node", format!("{error}"), "send the node's name"))?,
        ),
        Some(Up::Inventory(inventory)) => {
            FromRunner::Inventory(inventory.items.iter().map(item_from_wire).collect::<Result<_, Status>>()?)
        }
        Some(Up::Samples(batch)) => FromRunner::Samples {
            instances: batch
                .instances
                .iter()
                .map(InstanceSample::try_from)
                .collect::<Result<_, WireFault>>()
                .map_err(Status::from)?,
            node: batch.node.as_ref().map(NodeSample::try_from).transpose().map_err(Status::from)?,
        },
        Some(Up::TailChunk(tail)) => {
            let chunk = tail.chunk.ok_or_else(|| fault("tail_chunk.chunk", "is missing", "send the piece"))?;
            let instance = instance_from_wire("tail_chunk.chunk.instance_id", &chunk.instance_id)?;
            let output = stream_from_wire("tail_chunk.chunk.stream", chunk.stream)?
                .ok_or_else(|| fault("tail_chunk.chunk.stream", "is missing", "say which output the bytes are of"))?;
            FromRunner::Chunk { request: tail.request_id, instance, output, chunk }
        }
        Some(Up::TailEnd(tail)) => {
            let end = tail.end.ok_or_else(|| fault("tail_end.end", "is missing", "say what ended"))?;
            let output = stream_from_wire("tail_end.end.stream", end.stream)?;
            FromRunner::End { request: tail.request_id, output, error: end.error }
        }
    })
}

fn item_from_wire(item: &v1::InventoryItem) -> Result<InstanceId, Status> {
    let id = instance_from_wire("inventory.items.instance_id", &item.instance_id)?;
    if item.process != id.process.as_str() {
        let problem = format!("{:?} is not the process of {id}", item.process);
        return Err(fault("inventory.items.process", problem, "send the process that the id names"));
    }
    Ok(id)
}

fn instance_from_wire(field: &str, text: &str) -> Result<InstanceId, Status> {
    text.parse().map_err(|error| fault(field, format!("{error}"), "send an instance's id"))
}

pub(super) fn to_wire(told: ToRunner) -> v1::RunIntakeResponse {
    let message = match told {
        ToRunner::Request { request, instance, wish, credit } => {
            let picked = wish.picked.as_deref().cloned().unwrap_or_default();
            let of_it = format!("{instance}/");
            Down::Tail(v1::TailRequest {
                request_id: request,
                instance_id: instance.to_string(),
                stream: outputs_to_wire(wish.outputs).into(),
                tail: wish.last_lines,
                follow: wish.follow,
                credit,
                since: picked.since.map(timestamp_to_wire),
                until: picked.until.map(timestamp_to_wire),
                grep: picked.grep,
                previous: picked.previous,
                cursors: picked.cursors.into_iter().filter(|cursor| cursor.starts_with(&of_it)).collect(),
                timestamps: picked.timestamps,
            })
        }
        ToRunner::Credit { request, bytes } => Down::Credit(v1::TailCredit { request_id: request, bytes }),
        ToRunner::Cancel { request } => Down::Cancel(v1::TailCancel { request_id: request }),
    };
    v1::RunIntakeResponse { message: Some(message) }
}

fn outputs_to_wire(outputs: Outputs) -> v1::LogStream {
    let mut given = outputs.iter();
    match (given.next(), given.next()) {
        (Some(only), None) => stream_to_wire(only),
        (Some(_), Some(_)) | (None, _) => v1::LogStream::Unspecified,
    }
}
