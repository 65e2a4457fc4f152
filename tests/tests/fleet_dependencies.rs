//! Dependencies across nodes: what is on one node waits for what is on another
//! one, with every condition; what is stopped at once is stopped in reverse;
//! and a node that is cut off goes on by what it heard last.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::Event;
use system_tests::{Cluster, EventWatch, Sandbox, proc, until};

fn apply(cluster: &Cluster<'_>, sandbox: &Sandbox, text: &str) {
    let file = sandbox.write("apply.yaml", text);
    let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
}

fn lines(sandbox: &Sandbox, name: &str) -> Vec<String> {
    std::fs::read_to_string(sandbox.file(name)).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// On this node and on no other one.
fn on(node: &str) -> String {
    format!("placement: {{ constraints: [node.name = {node}] }}")
}

#[test]
fn what_needs_others_on_another_node_starts_when_they_are_as_they_have_to_be() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let _services = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let _nodes = [cluster.node("alpha", &[]), cluster.node("beta", &[])];
    let mut events = cluster.api().events_from(1);
    let (speak, ready, end) = (sandbox.file("speak"), sandbox.file("ready"), sandbox.file("end"));
    let (alpha, beta) = (on("alpha"), on("beta"));
    let text = format!(
        "processes:
  db:
    command: 'while ! [ -e {speak} ]; do sleep 0.05; done; echo listening on 5432; exec sleep 1000'
    readiness: {{ exec: [test, -e, {ready}], interval: 100ms }}
    {alpha}
  migrate:
    command: 'while ! [ -e {end} ]; do sleep 0.05; done'
    restart: never
    {alpha}
  started: {{ command: sleep 1000, depends_on: {{ db: started }}, {beta} }}
  listening: {{ command: sleep 1000, depends_on: {{ db: {{ log: 'on [0-9]+$' }} }}, {beta} }}
  web: {{ command: sleep 1000, depends_on: {{ db: ready, migrate: completed_ok }}, {beta} }}
"
    );
    apply(&cluster, &sandbox, &text);
    // Each step lets exactly one go; had another not waited, it would be there before.
    let start = |events: &mut EventWatch, wanted: &str| {
        let event = events.wait_for("a start on beta", |e| e.r#type == "instance.started" && e.node == "beta");
        assert_eq!(event.instance_id, wanted, "{}", events.story());
    };
    start(&mut events, "started-1");
    until("it says for whom it waits, and where that is", || {
        let told = cluster.pmctl(&["describe", "web-1"]).succeeded();
        told.contains("waits for db-1 on node alpha to be ready, migrate-1 on node alpha to end with success")
    });
    let told = cluster.pmctl(&["describe", "listening-1"]).succeeded();
    assert!(told.contains("waits for a line of db-1 on node alpha with"), "{told}");
    let _ = sandbox.write("speak", "");
    start(&mut events, "listening-1");
    let _ = sandbox.write("ready", "");
    events.wait_for_instance("db-1", "instance.ready");
    let told = events.wait_for_instance("web-1", "instance.waiting");
    assert_eq!(told.message, "waits for migrate-1 on node alpha to end with success");
    let _ = sandbox.write("end", "");
    start(&mut events, "web-1");

    // What runs is not started anew because what it needs is.
    let pid = cluster.api().instance("web-1").pid;
    let _ = cluster.pmctl(&["restart", "db"]).succeeded();
    events.wait_for_instance("db-1", "instance.ready");
    assert_eq!(cluster.api().instance("web-1").pid, pid);
    assert!(proc::is_running(pid));
}

/// Three that need each other in a row, on two nodes; each says when it begins,
/// when it is asked to end and when it does.
fn row(sandbox: &Sandbox) -> String {
    let told = sandbox.file("order");
    let process = |name: &str, needs: &str, node: &str| {
        let line = format!(
            "trap \"echo {name} ends >> {told}; sleep 0.4; echo {name} ended >> {told}; exit 0\" TERM; \
             echo {name} began >> {told}; while :; do sleep 0.05; done"
        );
        format!("  {name}:\n    command: '{line}'\n    {needs}\n    {}\n", on(node))
    };
    let (web, api) = ("depends_on: { api: started }", "depends_on: { db: started }");
    let row = [process("api", api, "alpha"), process("db", "", "beta"), process("web", web, "beta")];
    format!("processes:\n{}", row.concat())
}

/// Each is started when the one that it needs has been. What they say of it has no order: who was started first need not have
/// come to its first word first.
fn begins(events: &mut EventWatch) {
    for instance in ["db-1", "api-1", "web-1"] {
        events.wait_for_instance(instance, "instance.started");
    }
}

const DOWN: [&str; 6] = ["web ends", "web ended", "api ends", "api ended", "db ends", "db ended"];

/// When the event happened, by the clock of its node.
fn at(event: &Event) -> (i64, i32) {
    event.time.as_ref().map(|time| (time.seconds, time.nanos)).unwrap()
}

#[test]
fn what_is_stopped_or_deleted_at_once_ends_in_reverse_over_nodes() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let _services = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let _nodes = [cluster.node("alpha", &[]), cluster.node("beta", &[])];
    let mut events = cluster.api().events_from(1);
    apply(&cluster, &sandbox, &row(&sandbox));
    begins(&mut events);
    until("all run", || lines(&sandbox, "order").len() == 3);
    let _ = cluster.pmctl(&["stop", "db", "api", "web"]).succeeded();
    assert_eq!(lines(&sandbox, "order")[3..], DOWN);
    let mut last = (0, 0);
    for (instance, kind) in [
        ("web-1", "instance.stopping"),
        ("web-1", "instance.stopped"),
        ("api-1", "instance.stopping"),
        ("api-1", "instance.stopped"),
        ("db-1", "instance.stopping"),
        ("db-1", "instance.stopped"),
    ] {
        let event = events.wait_for_instance(instance, kind);
        assert!(at(&event) >= last, "{}", events.story());
        last = at(&event);
    }

    let _ = cluster.pmctl(&["start", "*"]).succeeded();
    begins(&mut events);
    until("all run again", || lines(&sandbox, "order").len() == 12);
    let _ = cluster.pmctl(&["delete", "*", "-y"]).succeeded();
    until("all have ended", || lines(&sandbox, "order").len() == 18);
    assert_eq!(lines(&sandbox, "order")[12..], DOWN);
}

#[test]
fn whose_stop_waits_says_for_whom() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let _services = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let _nodes = [cluster.node("alpha", &[]), cluster.node("beta", &[])];
    let mut events = cluster.api().events_from(1);
    let (alpha, beta, end) = (on("alpha"), on("beta"), sandbox.file("end"));
    let text = format!(
        "processes:
  db: {{ command: sleep 1000, {alpha} }}
  web:
    command: 'trap \"while ! [ -e {end} ]; do sleep 0.05; done; exit 0\" TERM; echo up; while :; do sleep 0.05; done'
    depends_on: {{ db: started }}
    readiness: {{ log: up }}
    stop: {{ timeout: 10m }}
    {beta}
"
    );
    apply(&cluster, &sandbox, &text);
    events.wait_for_instance("web-1", "instance.ready");
    let _ = cluster.pmctl(&["stop", "db", "web", "--no-wait"]).succeeded();
    let waits = "its stop waits for web-1 on node beta to end";
    until("it says so", || cluster.pmctl(&["describe", "db-1"]).succeeded().contains(waits));
    let listed = cluster.pmctl(&["status", "-o", "json"]).succeeded();
    assert_eq!(listed.matches(waits).count(), 1, "{listed}");
    let _ = sandbox.write("end", "");
    events.wait_for_instance("db-1", "instance.stopped");
    let told = cluster.pmctl(&["describe", "db-1"]).succeeded();
    assert!(!told.contains("its stop waits"), "{told}");
}

#[test]
fn a_stop_waits_neither_for_a_lost_node_nor_for_one_that_is_not_stopped() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let _services = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let (_alpha, mut beta) = (cluster.node("alpha", &[]), cluster.node("beta", &[]));
    let mut events = cluster.api().events_from(1);
    let (alpha_only, beta_only) = (on("alpha"), on("beta"));
    let text = format!(
        "processes:
  db: {{ command: sleep 1000, {alpha_only} }}
  cache: {{ command: sleep 1000, {alpha_only} }}
  web: {{ command: sleep 1000, depends_on: {{ db: started, cache: started }}, stop: {{ timeout: 10m }}, {beta_only} }}
"
    );
    apply(&cluster, &sandbox, &text);
    let start = events.wait_for_instance("web-1", "instance.started");
    assert_eq!(start.node, "beta");
    let _ = cluster.pmctl(&["stop", "cache"]).succeeded();
    // Nobody is there who could end it, or say so.
    beta.kill_9();
    let _ = cluster.pmctl(&["stop", "db", "web", "--no-wait"]).succeeded();
    let mut is_lost = false;
    events.wait_for("the end of db-1", |event| {
        is_lost |= event.r#type == "node.lost";
        event.instance_id == "db-1" && event.r#type == "instance.stopped"
    });
    assert!(is_lost, "it did not wait: {}", events.story());
}

#[test]
fn a_node_that_is_cut_off_restarts_what_needs_others_on_another_node() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let mut registry = cluster.registry();
    let _services = (cluster.monitor(), cluster.gateway());
    let (_alpha, mut beta) = (cluster.node("alpha", &[]), cluster.node("beta", &[]));
    let starts = sandbox.file("starts");
    let text = format!(
        "processes:
  db: {{ command: sleep 1000, {} }}
  web:
    command: 'echo $$ >> {starts}; exec sleep 1000'
    restart: {{ policy: always, backoff: {{ initial: 50ms, max: 50ms }} }}
    depends_on: {{ db: ready }}
    {}
",
        on("alpha"),
        on("beta")
    );
    apply(&cluster, &sandbox, &text);
    let pids = || -> Vec<u32> { lines(&sandbox, "starts").iter().map(|line| line.parse().unwrap()).collect() };
    until("it runs", || pids().len() == 1);
    registry.kill_9();
    proc::send(pids()[0], rustix::process::Signal::KILL);
    until("it is restarted without a registry", || pids().len() == 2);
    beta.kill_9();
    let _beta = cluster.node("beta", &[]);
    assert!(proc::is_running(pids()[1]), "it runs on");
    proc::send(pids()[1], rustix::process::Signal::KILL);
    until("and by the next runner, too", || pids().len() == 3);
}
