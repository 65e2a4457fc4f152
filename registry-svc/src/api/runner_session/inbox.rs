//! Reports from the wire. A fact that cannot be read is left out and said in
//! the log: refusing the whole report would have the runner send it again for
//! ever, and nothing that comes after it would get through.

use pm_proto::convert::{WireFault, timestamp_from_wire};
use pm_proto::v1;
use process_model::{ActionReport, ExitStatus, InstanceId, InstanceReport, RunOutcome, RunReport, Timestamp};
use registry_domain::{InventoryEntry, NodeHello, NodeInventory, Report, RunReports};

/// Longest text in a report; the rest is cut off.
const TEXT_BYTES: usize = 4 << 10;
/// Longest text about a run: twenty of them are kept of each instance.
const RUN_TEXT_BYTES: usize = 256;
/// Longest event type.
const TYPE_BYTES: usize = 64;

pub(super) fn report(hello: &NodeHello, wire: &v1::Report) -> Report {
    let instances = wire.instances.iter().filter_map(|r| readable(hello, r.try_into().and_then(checked)));
    let actions = wire.actions.iter().filter_map(|r| {
        let report: Option<ActionReport> = readable(hello, r.try_into());
        report.map(|report| ActionReport { message: cut(report.message), ..report })
    });
    Report {
        node: hello.node.clone(),
        boot_id: hello.boot_id.clone(),
        seq: wire.seq,
        instances: instances.collect(),
        actions: actions.collect(),
    }
}

/// What the node says of runs; `None`: nothing.
pub(super) fn runs(hello: &NodeHello, wire: &v1::Report) -> Option<RunReports> {
    let runs = wire.runs.iter().filter_map(|r| readable(hello, r.try_into().map(bounded)));
    let runs: Vec<RunReport> = runs.collect();
    (!runs.is_empty()).then(|| RunReports { node: hello.node.clone(), runs })
}

fn bounded(report: RunReport) -> RunReport {
    let outcome = match report.outcome {
        RunOutcome::NotStarted(why) => RunOutcome::NotStarted(cut_to(why, RUN_TEXT_BYTES)),
        RunOutcome::Skipped(why) => RunOutcome::Skipped(cut_to(why, RUN_TEXT_BYTES)),
        RunOutcome::Ended(ExitStatus::Unknown(why)) => {
            RunOutcome::Ended(ExitStatus::Unknown(cut_to(why, RUN_TEXT_BYTES)))
        }
        whole @ (RunOutcome::Running | RunOutcome::Ended(_) | RunOutcome::Missed | RunOutcome::Lost) => whole,
    };
    RunReport { outcome, ..report }
}

/// What the node has; `None`: it does not say.
pub(super) fn inventory(hello: &NodeHello, wire: &v1::Report) -> Option<NodeInventory> {
    let says = wire.inventory_begins || wire.inventory_complete || !wire.inventory.is_empty();
    says.then(|| NodeInventory {
        node: hello.node.clone(),
        begins: wire.inventory_begins,
        complete: wire.inventory_complete,
        entries: wire.inventory.iter().filter_map(|one| readable(hello, entry(one))).collect(),
    })
}

/// Whose lines these are, and of which run.
pub(super) fn seen_lines(hello: &NodeHello, wire: &v1::SeenLines) -> Option<(InstanceId, Timestamp)> {
    let instance = wire.instance_id.parse().map_err(|error: process_model::InvalidInstanceId| WireFault {
        field: "lines.instance_id",
        problem: error.to_string(),
    });
    let started = wire.start_time.as_ref().map(|time| timestamp_from_wire("lines.start_time", time));
    Some((readable(hello, instance)?, readable(hello, started?)?))
}

fn entry(wire: &v1::InstanceInventory) -> Result<InventoryEntry, WireFault> {
    let instance = wire.instance_id.parse();
    Ok(InventoryEntry {
        instance: instance.map_err(|error: process_model::InvalidInstanceId| WireFault {
            field: "inventory.instance_id",
            problem: error.to_string(),
        })?,
        generation: wire.generation,
        fingerprint: <[u8; 32]>::try_from(&wire.spec_hash[..]).ok(),
        phase: wire.phase().try_into()?,
        pid: wire.pid,
        restarts: wire.restarts,
        wanted: wire.wanted,
        restart_count: wire.restart_count,
    })
}

fn readable<T>(hello: &NodeHello, fact: Result<T, WireFault>) -> Option<T> {
    fact.inspect_err(|error| tracing::warn!(node = %hello.node, %error, "a fact in a report cannot be read")).ok()
}

fn checked(report: InstanceReport) -> Result<InstanceReport, WireFault> {
    let kind = &report.event_type;
    let fits = kind.len() <= TYPE_BYTES
        && kind.starts_with("instance.")
        && kind.bytes().all(|b| b.is_ascii_lowercase() || b"._".contains(&b));
    if !fits {
        let problem = format!("{:?} is no type of an instance's event", kind.chars().take(80).collect::<String>());
        return Err(WireFault { field: "event_type", problem });
    }
    Ok(InstanceReport { message: cut(report.message), ..report })
}

fn cut(text: String) -> String {
    cut_to(text, TEXT_BYTES)
}

fn cut_to(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
    }
    text
}
