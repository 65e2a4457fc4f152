//! Rows of the state → messages.

use pm_proto::convert::{spec_to_wire, timestamp_to_wire};
use pm_proto::v1;
use registry_domain::{Instance, Node, NodeState, Process, State, Usage};

pub(super) fn process(process: &Process) -> v1::Process {
    v1::Process {
        spec: Some(spec_to_wire(&process.spec)),
        generation: process.generation,
        etag: process.etag(),
        source: process.source.clone(),
        create_time: Some(timestamp_to_wire(process.created)),
        update_time: Some(timestamp_to_wire(process.updated)),
    }
}

pub(super) fn instance(instance: &Instance) -> v1::Instance {
    let seen = &instance.seen;
    v1::Instance {
        id: instance.id.to_string(),
        process: instance.id.process.to_string(),
        index: instance.id.index,
        node: instance.node.as_ref().map(ToString::to_string).unwrap_or_default(),
        generation: instance.generation,
        wanted: instance.wanted,
        phase: v1::InstancePhase::from(instance.phase()).into(),
        ready: instance.is_ready(),
        pid: seen.pid,
        restarts: seen.restarts,
        last_exit: seen.last_exit.as_ref().map(Into::into),
        start_time: seen.started.map(timestamp_to_wire),
        phase_time: Some(timestamp_to_wire(instance.phase_time())),
        message: message(instance),
        next_restart_time: seen.next_restart.map(timestamp_to_wire),
        containment: seen.containment.clone(),
        status: seen.status.clone(),
        removing: instance.removing,
    }
}

/// As [`instance`], with what others have to do with it.
pub(super) fn instance_among(state: &State, of: &Instance) -> v1::Instance {
    let mut answer = instance(of);
    if let Some((other, node)) = state.stop_waits_for(of) {
        answer.message = format!("its stop waits for {other} on node {node} to end");
    }
    answer
}

/// Why it is in its phase, where its node cannot say so.
fn message(instance: &Instance) -> String {
    match (&instance.node, instance.lost_since, instance.seen.seq) {
        (None, _, _) => "no node can take it; pmctl explain placement tells why".to_owned(),
        (Some(node), Some(_), _) => format!("node {node} is silent"),
        (Some(node), None, 0) => format!("waiting for node {node} to take it up"),
        (Some(_), None, _) => instance.seen.message.clone(),
    }
}

/// A node, with what is on it.
pub(super) fn node(node: &Node, usage: &Usage) -> v1::Node {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let is = match node.state {
        NodeState::Ready => v1::NodeState::Ready,
        NodeState::Suspect => v1::NodeState::Suspect,
        NodeState::Lost => v1::NodeState::Lost,
    };
    let labels = node.labels().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    v1::Node {
        name: node.name.to_string(),
        state: is.into(),
        boot_id: node.boot_id.clone(),
        runner_version: node.runner_version.clone(),
        cpus: node.cpus,
        memory_bytes: node.memory_bytes,
        instances: number(usage.instances),
        state_time: Some(timestamp_to_wire(node.state_time)),
        create_time: Some(timestamp_to_wire(node.created)),
        labels: labels.collect(),
        set_labels: node.set_labels.clone(),
        os: node.facts.os.clone(),
        arch: node.facts.arch.clone(),
        kernel: node.facts.kernel.clone(),
        cordoned: node.cordoned,
        drain: node.drain.as_ref().map(|drain| v1::NodeDrain {
            begin_time: Some(timestamp_to_wire(drain.begun)),
            deadline: drain.deadline.map(timestamp_to_wire),
            overdue: drain.over,
            done_time: drain.done.map(timestamp_to_wire),
            left: number(usage.left),
        }),
        reserved_cpu_millis: usage.reserved_cpu_millis,
        reserved_memory_bytes: usage.reserved_memory,
        takes_new: node.takes_new(),
    }
}

/// Actions by number, as they are now. One that has been forgotten since is
/// left out.
pub(super) fn actions(state: &State, numbers: &[u64]) -> Vec<v1::Action> {
    numbers.iter().filter_map(|number| state.actions().get(number)).map(|action| (&**action).into()).collect()
}
