//! One trace from `pmctl` through gateway, registry and runner to the exec of
//! the program, seen by a receiver that is not ours.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::collections::BTreeSet;
use system_tests::{DEADLINE, OtlpSink, Sandbox, proc, until};

#[test]
fn one_trace_runs_from_pmctl_to_the_exec_of_the_program() {
    let sandbox = Sandbox::new();
    let sink = OtlpSink::start();
    let exporting = [("OTEL_EXPORTER_OTLP_ENDPOINT", sink.endpoint.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let file = sandbox.write("up.yaml", "processes:\n  web:\n    command: [sleep, '1000']\n    autostart: false\n");
    let mut up = sandbox.up_with(&["-f", &file], &exporting);

    let mut start = sandbox.command(&["start", "web"]);
    start.envs(exporting);
    let _ = system_tests::Outcome::of(&mut start).succeeded();

    // The program was told the trace that it was started in.
    let pid = up.api().instance("web-1").pid;
    let traceparent = proc::environment_variable(pid, "TRACEPARENT").expect("TRACEPARENT is in its environment");
    let parts: Vec<&str> = traceparent.split('-').collect();
    assert!(parts.len() == 4 && parts[0] == "00" && parts[1].len() == 32 && parts[2].len() == 16, "{traceparent}");
    let trace = parts[1].to_owned();

    // It is the exec's own span that the program was given as its parent.
    let exec = sink.find(DEADLINE, |span| span["trace"] == trace && span["span"] == parts[2]);
    let exec = exec.unwrap_or_else(|| panic!("no span {traceparent} in\n{}\n{}", sink.text(), up.said()));
    assert_eq!(exec["name"], "exec web-1", "{exec}");
    assert_eq!(exec["attributes"]["pm.process"], "web", "{exec}");
    assert_eq!(exec["attributes"]["process.pid"], pid.to_string(), "{exec}");
    // The rest of it is flushed at the latest when up ends.
    let _ = up.end_with(rustix::process::Signal::TERM);

    // What has arrived is told by the sink a moment later.
    let mut spans = Vec::new();
    until("the whole trace", || {
        spans = sink.spans(&trace);
        let ids: BTreeSet<&str> = spans.iter().filter_map(|span| span["span"].as_str()).collect();
        let is_there = |span: &Value| ids.contains(span["parent"].as_str().unwrap_or_default());
        ids.contains(parts[2]) && spans.iter().all(|span| span["parent"] == "" || is_there(span))
    });
    let ids: BTreeSet<&str> = spans.iter().filter_map(|span| span["span"].as_str()).collect();
    let roots: Vec<&Value> = spans.iter().filter(|span| span["parent"] == "").collect();
    assert_eq!(roots.len(), 1, "one root: {spans:#?}");
    let orphans: Vec<&Value> = spans
        .iter()
        .filter(|span| span["parent"] != "" && !ids.contains(span["parent"].as_str().unwrap_or("")))
        .collect();
    assert!(orphans.is_empty(), "spans without their parent: {orphans:#?}\nof {spans:#?}");

    // Two processes took part, and the call was served twice: by the gateway, which forwards it, and the registry.
    let processes: BTreeSet<&str> = spans.iter().filter_map(|span| span["instance"].as_str()).collect();
    assert_eq!(processes.len(), 2, "{spans:#?}");
    let served = spans.iter().filter(|span| {
        span["kind"] == "SPAN_KIND_SERVER"
            && span["attributes"]["rpc.method"].as_str().is_some_and(|m| m.contains("StartProcesses"))
    });
    assert_eq!(served.count(), 2, "{spans:#?}");
}
