//! What the example's Prometheus gets from services that really run: a value
//! for every expression of both dashboards and of every rule, and an alert.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use system_tests::{Cluster, Prometheus, Sandbox, Trusted, binary, until};

const WORKLOAD: &str = "processes:
  web:
    command: [sh, -c, 'while :; do echo tick; sleep 1; done']
    instances: 2
  crash:
    command: [sh, -c, 'sleep 2; exit 1']
    restart: {policy: always, backoff: {initial: 100ms, max: 100ms}}
  broken:
    command: [/no/such/program]
    restart: {policy: always, backoff: {initial: 100ms, max: 100ms}}
";

/// Counters with a label that begin with their first event, and that event is not to be had in a healthy cluster.
const WITHOUT_A_VALUE: [(&str, &str); 3] = [
    (FAILED_REQUESTS, "counts from the first request that fails at no fault of its own: at the end of the test"),
    ("pm_runner_log_dropped_bytes_total", "counts from the first byte that no log file took: a full disk"),
    ("outcome=\"out_of_memory\"", "counts from the first program that the kernel killed for its memory"),
];

/// What the gateway answers when a service behind it does not.
const FAILED_REQUESTS: &str =
    "pm_gateway_requests_total{code=~\"INTERNAL|UNAVAILABLE|UNKNOWN|DATA_LOSS|DEADLINE_EXCEEDED\"}";

/// Why an expression may be without a value.
fn excused(expression: &str) -> bool {
    WITHOUT_A_VALUE.iter().any(|(part, _)| expression.contains(part))
}

fn rules() -> String {
    std::fs::read_to_string(Prometheus::folder().join("rules.yaml")).unwrap()
}

fn board(name: &str) -> Value {
    let path = binary::workspace_root().join(format!("examples/observability/grafana/dashboards/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The expressions of a dashboard, as Grafana sends them with everything chosen.
fn of_panels(board: &Value) -> Vec<String> {
    let panels = board["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let expressions = targets.map(|target| target["expr"].as_str().expect("a target has an expression").to_owned());
    let chosen = [("$__rate_interval", "20s"), ("$namespace", ".*"), ("$node", ".*"), ("$process", ".*")];
    expressions.map(|expr| chosen.iter().fold(expr, |expr, (name, value)| expr.replace(name, value))).collect()
}

/// What a board's variables list.
fn of_variables(board: &Value) -> Vec<String> {
    let variables = board["templating"]["list"].as_array().unwrap().iter();
    let queries = variables.filter(|v| v["type"] == "query").map(|v| v["query"]["query"].as_str().unwrap().to_owned());
    // label_values(SERIES, LABEL) lists a label of the series.
    let series = |query: String| {
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).expect("label_values");
        let (series, label) = inner.rsplit_once(", ").expect("a label");
        // Outside of Kubernetes nothing has a namespace.
        let label = if label == "namespace" { "service" } else { label };
        format!("count by ({label}) ({})", series.replace("$namespace", ".*"))
    };
    queries.map(series).collect()
}

/// The series that a rule looks at, each alone: a rule has no value as long as all is well.
fn of_rules() -> Vec<String> {
    let rules: Value = serde_saphyr::from_str(&rules()).unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    let all = groups.flat_map(|group| group["rules"].as_array().unwrap());
    all.flat_map(|rule| selectors(rule["expr"].as_str().unwrap())).collect()
}

fn selectors(expression: &str) -> Vec<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut found, mut rest) = (Vec::new(), expression);
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        rest = &rest[at..];
        let name = &rest[..rest.find(|c| !word(c)).unwrap_or(rest.len())];
        rest = &rest[name.len()..];
        let braces = if rest.starts_with('{') { &rest[..=rest.find('}').unwrap()] } else { "" };
        rest = &rest[braces.len()..];
        if name.starts_with("pm_") || name == "up" {
            found.push(format!("{name}{braces}"));
        }
    }
    found
}

#[test]
fn every_expression_of_the_dashboards_and_of_the_rules_has_a_value_from_services_that_run() {
    let sandbox = Sandbox::new();
    let mut cluster = Trusted::started(&sandbox, &[]);
    for node in ["node-a", "node-b"] {
        let line = cluster.join_command(&[]);
        let (joined, said) = cluster.join(&line, node);
        assert!(joined, "{said}");
        cluster.start_runner(node);
    }
    let ops = |names: &[&str]| names.iter().map(|name| cluster.ops(name)).collect::<Vec<_>>();
    let targets = BTreeMap::from([
        ("pm-registry", ops(&["registry-1", "registry-2", "registry-3"])),
        ("pm-monitor", ops(&["monitor"])),
        ("pm-gateway", ops(&["gateway"])),
        ("pm-runner", ops(&["node-a", "node-b"])),
    ]);
    let prometheus = Prometheus::start(&sandbox, &targets, &rules());
    let file = sandbox.write("workload.yaml", WORKLOAD);
    let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();

    let done = AtomicBool::new(false);
    let faults = std::thread::scope(|scope| {
        // Something happens all the time, as in a cluster that is used.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = cluster.pmctl(&["restart", "web"]);
                let _ = cluster.pmctl(&["list"]);
            }
        });
        let faults = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let boards = ["control-plane", "processes"].map(board);
            let of_boards = boards.iter().flat_map(|board| of_panels(board).into_iter().chain(of_variables(board)));
            let mut expressions: Vec<String> = of_boards.chain(of_rules()).collect();
            expressions.sort();
            expressions.dedup();
            assert!(expressions.len() > 90, "only {} expressions were found", expressions.len());
            let mut missing: Vec<&String> = expressions.iter().collect();
            // Rates need two scrapes, and restarts their time.
            let began = std::time::Instant::now();
            while began.elapsed() < 3 * system_tests::DEADLINE && missing.iter().any(|expr| !excused(expr)) {
                missing.retain(|expression| prometheus.values(expression).is_empty());
                std::thread::park_timeout(std::time::Duration::from_millis(200));
            }
            missing.into_iter().filter(|expr| !excused(expr)).cloned().collect::<Vec<String>>()
        }));
        done.store(true, Ordering::Relaxed);
        faults.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    assert!(faults.is_empty(), "without a value:\n{}\n{}", faults.join("\n"), prometheus.said());

    // What the rules are for: the process that ends again and again, and the one that cannot start.
    for (name, process) in [("PmProcessCrashLooping", "crash"), ("PmProcessCannotStart", "broken")] {
        until(&format!("{name} fires for {process}"), || {
            prometheus.firing(name).iter().any(|labels| labels["process"] == process)
        });
        let of_web = prometheus.firing(name).into_iter().find(|labels| labels["process"] == "web");
        assert_eq!(of_web, None, "{name}");
    }
    for quiet in ["PmRegistryNoLeader", "PmRegistryQuorumAtRisk", "PmNodeDown", "PmServiceDown"] {
        assert_eq!(prometheus.firing(quiet), Vec::<Value>::new());
    }

    // And the one that needs a service to be gone.
    cluster.kill("monitor");
    cluster.pmctl(&["logs", "web"]).failed(8, &["monitor"]);
    until("requests that fail are counted", || !prometheus.values(FAILED_REQUESTS).is_empty());
}

#[test]
fn a_runner_that_is_killed_is_an_alert_with_the_name_of_its_node() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let _services = [cluster.registry(), cluster.monitor(), cluster.gateway()];
    let mut runner = cluster.runner();
    let ops = |place: usize| vec![format!("127.0.0.1:{}", cluster.ops_port(place))];
    let targets = BTreeMap::from([
        ("pm-gateway", ops(0)),
        ("pm-registry", ops(1)),
        ("pm-monitor", ops(2)),
        ("pm-runner", ops(3)),
    ]);
    // The rules as they are, but for the patience.
    let hasty = rules().replace("for: 2m", "for: 1s");
    assert_ne!(hasty, rules());
    let prometheus = Prometheus::start(&sandbox, &targets, &hasty);
    until("the node is up", || prometheus.values("pm_node_up{node=\"node-a\"} == 1").len() == 1);
    assert_eq!(prometheus.firing("PmNodeDown"), Vec::<Value>::new());

    runner.kill_9();
    until("PmNodeDown fires", || !prometheus.firing("PmNodeDown").is_empty());
    let fired = prometheus.firing("PmNodeDown");
    assert_eq!(
        (fired[0]["node"].as_str(), fired[0]["severity"].as_str()),
        (Some("node-a"), Some("critical")),
        "{fired:?}"
    );
    // Its scrape fails as well, and no other does, but for a moment in which a busy machine answers nobody.
    until("PmServiceDown fires for the runner alone", || {
        let down = prometheus.firing("PmServiceDown");
        !down.is_empty() && down.iter().all(|labels| labels["job"] == "pm-runner")
    });

    // Back again, it is no alert any more.
    let _runner = cluster.runner();
    until("PmNodeDown is over", || prometheus.firing("PmNodeDown").is_empty());
}
