//! Several nodes, each a runner of its own: where instances go, how they leave
//! a node, and that there is never a second copy of one on the way.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use system_tests::{Cluster, EventWatch, Sandbox, proc, until};

/// A program that holds a lock with its instance's name as long as it lives,
/// whichever node it is on, and tells when somebody else holds it.
fn only_once(sandbox: &Sandbox) -> String {
    let (locks, twice) = (sandbox.file("lock"), sandbox.file("twice"));
    format!("exec 9>{locks}-$PM_INSTANCE; flock -n 9 || echo $PM_INSTANCE >> {twice}; exec sleep 1000")
}

fn where_they_are(cluster: &Cluster<'_>, process: &str) -> BTreeMap<String, usize> {
    let mut nodes = BTreeMap::new();
    for one in cluster.api().instances().into_iter().filter(|one| one.process == process) {
        *nodes.entry(one.node).or_default() += 1;
    }
    nodes
}

fn apply(cluster: &Cluster<'_>, sandbox: &Sandbox, text: &str) {
    let file = sandbox.write("apply.yaml", text);
    let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
}

fn started(events: &mut EventWatch, count: usize) {
    for _ in 0..count {
        events.wait_for("a start", |event| event.r#type == "instance.started");
    }
}

fn counts(nodes: &[(&str, usize)]) -> BTreeMap<String, usize> {
    nodes.iter().map(|(node, count)| ((*node).to_owned(), *count)).collect()
}

#[test]
fn instances_go_where_they_may_leave_a_drained_node_and_never_run_twice() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let _services = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let _nodes =
        [cluster.node("alpha", &["zone=eu"]), cluster.node("beta", &["zone=eu"]), cluster.node("gamma", &["zone=us"])];
    let mut events = cluster.api().events_from(1);
    let program = only_once(&sandbox);
    let text = format!(
        "processes:
  web:
    command: '{program}'
    instances: 4
    placement: {{ constraints: [zone = eu] }}
  logd:
    command: sleep 1000
    placement: {{ daemon: true }}
"
    );
    apply(&cluster, &sandbox, &text);
    started(&mut events, 7);
    assert_eq!(where_they_are(&cluster, "web"), counts(&[("alpha", 2), ("beta", 2)]));
    assert_eq!(where_they_are(&cluster, "logd"), counts(&[("alpha", 1), ("beta", 1), ("gamma", 1)]));

    let told = cluster.pmctl(&["nodes", "drain", "alpha", "--wait", "--timeout", "50s", "--reason", "new disk"]);
    assert!(told.stderr.contains("leaves its node"), "{told}");
    assert_eq!(told.succeeded().trim(), "node/alpha is drained");
    assert_eq!(where_they_are(&cluster, "web"), counts(&[("beta", 4)]));
    assert_eq!(where_they_are(&cluster, "logd").get("alpha"), Some(&1), "a daemon stays");
    started(&mut events, 2);
    assert!(!std::path::Path::new(&sandbox.file("twice")).exists(), "two copies at once");
    let list = cluster.pmctl(&["nodes", "-o", "wide"]).succeeded();
    let alpha = list.lines().find(|line| line.contains("alpha")).unwrap();
    assert!(alpha.contains("ready, drained") && alpha.contains("zone=eu"), "{list}");
    let entry = cluster.pmctl(&["audit", "--process", "alpha", "--tail", "1"]).succeeded();
    assert!(entry.contains("drain-node") && entry.contains("new disk"), "{entry}");

    // A node that comes gets its daemon, and what is drained gets nothing.
    let _delta = cluster.node("delta", &["zone=eu"]);
    events.wait_for("the daemon of delta", |event| event.r#type == "instance.started" && event.node == "delta");
    apply(&cluster, &sandbox, &text.replace("instances: 4", "instances: 6"));
    started(&mut events, 2);
    assert_eq!(where_they_are(&cluster, "web"), counts(&[("beta", 4), ("delta", 2)]));
    let told = cluster.pmctl(&["nodes", "uncordon", "alpha"]).succeeded();
    assert_eq!(told.trim(), "node/alpha is ready");
    assert!(!std::path::Path::new(&sandbox.file("twice")).exists(), "two copies at once");
}

#[test]
fn who_waits_is_told_why_and_goes_when_a_node_is_labelled() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let _services = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let _nodes = [cluster.node("alpha", &["zone=eu"]), cluster.node("beta", &["zone=us"])];
    let mut events = cluster.api().events_from(1);
    let wants = |gpu: &str| {
        format!(
            "processes:\n  job:\n    command: sleep 1000\n    placement: {{ constraints: [gpu = {gpu}, zone != us] }}\n"
        )
    };
    apply(&cluster, &sandbox, &wants("yes"));
    let told = cluster.pmctl(&["explain", "placement", "job"]).succeeded();
    for words in ["job-1", "it waits: no node can take it", "none of 2 nodes", "2 nodes: constraint \"gpu = yes\""] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    cluster.pmctl(&["nodes", "label", "alpha", "node.gpu=yes"]).failed(2, &["node.gpu", "not free"]);
    cluster.pmctl(&["nodes", "label", "nobody", "gpu=yes"]).failed(4, &["nobody"]);
    let told = cluster.pmctl(&["nodes", "label", "alpha", "gpu=yes"]).succeeded();
    assert_eq!(told.trim(), "node/alpha has gpu=yes,zone=eu");
    let start = events.wait_for_instance("job-1", "instance.started");
    assert_eq!(start.node, "alpha");
    // A label that goes moves nothing; a process that asks for another node does.
    let _ = cluster.pmctl(&["nodes", "label", "alpha", "gpu-"]).succeeded();
    let _ = cluster.pmctl(&["nodes", "label", "beta", "gpu=new", "zone=eu"]).succeeded();
    assert_eq!(cluster.api().instance("job-1").node, "alpha");
    apply(&cluster, &sandbox, &wants("new"));
    let start = events.wait_for_instance("job-1", "instance.started");
    assert_eq!(start.node, "beta");
    let _ = cluster.pmctl(&["nodes", "cordon", "beta"]).succeeded();
    let told = cluster.pmctl(&["explain", "placement", "job-1"]).succeeded();
    assert!(told.contains("it is on beta, and stays where it is") && told.contains("1 node: cordoned"), "{told}");
}

#[test]
fn a_node_that_was_given_up_and_comes_back_has_nothing() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let _services = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let mut alpha = cluster.node("alpha", &[]);
    let _beta = cluster.node("beta", &[]);
    let mut events = cluster.api().events_from(1);
    apply(&cluster, &sandbox, "processes:\n  web:\n    command: sleep 1000\n");
    let start = events.wait_for_instance("web-1", "instance.started");
    assert_eq!(start.node, "alpha");
    let left = cluster.api().instance("web-1").pid;
    cluster.pmctl(&["nodes", "remove", "alpha"]).failed(1, &["it is ready", "--force"]);
    alpha.kill_9();
    events.wait_for("the loss of alpha", |event| event.r#type == "node.lost");
    cluster.pmctl(&["nodes", "remove", "alpha"]).failed(1, &["1 instances are on it"]);
    let told = cluster.pmctl(&["nodes", "remove", "alpha", "--force", "-y"]).succeeded();
    assert_eq!(told.trim(), "node/alpha removed");
    let start = events.wait_for_instance("web-1", "instance.started");
    assert_eq!(start.node, "beta");
    assert!(proc::is_running(left), "its keeper goes on without a runner");
    let _alpha = cluster.node("alpha", &[]);
    until("what alpha had is stopped", || !proc::is_running(left));
    assert_eq!(cluster.api().instance("web-1").node, "beta");
}
