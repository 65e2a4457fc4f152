//! The trace of one `pmctl restart` over services that are processes of their
//! own, as an OTLP receiver that is not ours gets it.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use system_tests::{Cluster, DEADLINE, OtlpSink, Outcome, Sandbox, proc, until};

fn text<'a>(span: &'a Value, key: &str) -> &'a str {
    span[key].as_str().unwrap_or_default()
}

#[test]
fn one_restart_is_one_trace_through_pmctl_gateway_registry_runner_and_the_program() {
    let sandbox = Sandbox::new();
    let sink = OtlpSink::start();
    let exporting = [("OTEL_EXPORTER_OTLP_ENDPOINT", sink.endpoint.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let cluster = Cluster::new(&sandbox).with_environment(&exporting);
    let _services = [cluster.registry(), cluster.monitor(), cluster.gateway(), cluster.runner()];
    let secret = "a-password-in-the-environment-0123456789";
    let file = sandbox.write(
        "web.yaml",
        &format!("processes:\n  web:\n    command: [sleep, '1000']\n    env: {{PASSWORD: {secret}}}\n"),
    );
    let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
    let api = cluster.api();
    until("web runs", || api.instance("web-1").pid != 0);
    let before = api.instance("web-1").pid;

    let mut restart = sandbox.command(&["--endpoint", &cluster.url(0), "--token-file", &cluster.token_file()]);
    let _ = Outcome::of(restart.args(["restart", "web"]).envs(exporting)).succeeded();
    until("web runs anew", || ![0, before].contains(&api.instance("web-1").pid));
    let pid = api.instance("web-1").pid;

    // The new program was told the trace that it was started in; it is the exec's own span that is its parent.
    let traceparent = proc::environment_variable(pid, "TRACEPARENT").expect("TRACEPARENT is in its environment");
    let parts: Vec<&str> = traceparent.split('-').collect();
    let (trace, exec) = (parts[1], parts[2]);
    let found = sink.find(DEADLINE, |span| span["trace"] == trace && span["span"] == exec);
    let found = found.unwrap_or_else(|| panic!("no span {traceparent} in\n{}", sink.text()));
    assert_eq!((text(&found, "name"), text(&found, "service")), ("exec web-1", "runner-svc"), "{found}");
    assert_eq!(found["attributes"]["process.pid"], pid.to_string(), "{found}");

    // All of it has arrived when every parent has: each exports by itself.
    let mut spans = Vec::new();
    until("the whole trace", || {
        spans = sink.spans(trace);
        let ids: BTreeSet<&str> = spans.iter().map(|span| text(span, "span")).collect();
        ids.contains(exec) && spans.iter().all(|span| span["parent"] == "" || ids.contains(text(span, "parent")))
    });
    let by_id: BTreeMap<&str, &Value> = spans.iter().map(|span| (text(span, "span"), span)).collect();
    // From the program up to the root: who called whom.
    let mut way = Vec::new();
    let mut next = exec;
    while let Some(span) = by_id.get(next) {
        way.push(text(span, "service"));
        next = text(span, "parent");
    }
    way.dedup();
    assert_eq!(way, ["runner-svc", "registry-svc", "gateway", "pmctl"], "{spans:#?}");
    let roots: Vec<&Value> = spans.iter().filter(|span| span["parent"] == "").collect();
    assert_eq!(roots.len(), 1, "{spans:#?}");
    assert_eq!(text(roots[0], "service"), "pmctl", "{roots:#?}");
    // One service is one process.
    let processes: BTreeSet<(&str, &str)> =
        spans.iter().map(|span| (text(span, "service"), text(span, "instance"))).collect();
    assert_eq!(processes.len(), 4, "{processes:?}");
    let served = |service: &str| {
        let method =
            |span: &Value| span["attributes"]["rpc.method"].as_str().is_some_and(|m| m.contains("RestartProcesses"));
        let server = |span: &&Value| span["kind"] == "SPAN_KIND_SERVER" && span["service"] == service && method(span);
        spans.iter().filter(server).count()
    };
    assert_eq!((served("gateway"), served("registry-svc")), (1, 1), "{spans:#?}");

    // Neither token nor environment is in any span of any trace.
    let told = sink.text();
    for secret in [secret, "a-token-that-the-services-share", "a-token-of-the-administrator"] {
        assert!(!told.contains(secret), "{secret} is in a span");
    }
}
