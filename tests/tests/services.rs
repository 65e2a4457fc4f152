//! The four services as processes of their own, joined over TCP: what
//! `pmctl up` embeds works apart as well, and each may die for itself.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::ListProcessesRequest;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use system_tests::{Api, Cluster, Credentials, Sandbox, http, proc, until};

fn running(api: &Api) -> Vec<(String, u32, u32)> {
    api.instances().into_iter().map(|instance| (instance.id, instance.pid, instance.restarts)).collect()
}

#[test]
fn kill_9_of_the_runner_leaves_pids_and_restart_counts_as_they_were() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let (_registry, _monitor, _gateway) = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let runner = cluster.runner();
    let file = sandbox.write("web.yaml", "processes:\n  web:\n    command: [sleep, '1000']\n    instances: 3\n");
    let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
    let api = cluster.api();
    let mut events = api.events_from(1);
    for _ in 0..3 {
        events.wait_for("a start", |event| event.r#type == "instance.started");
    }
    let before = running(&api);
    let revision = api.revision();

    drop(runner);
    assert!(before.iter().all(|(_, pid, _)| proc::is_running(*pid)), "{before:?}");
    let _runner = cluster.runner();
    let mut events = api.events_from(revision + 1);
    for _ in 0..3 {
        events.wait_for("an adoption", |event| event.r#type == "instance.adopted");
    }
    assert_eq!(running(&api), before);
    // It supervises again: what is killed comes back.
    proc::kill_9(before[0].1);
    events.wait_for_instance(&before[0].0, "instance.exited");
    events.wait_for_instance(&before[0].0, "instance.started");
}

#[test]
fn with_every_other_service_dead_instances_are_restarted_and_told_of_afterwards() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let (registry, monitor, gateway) = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let _runner = cluster.runner();
    let text = "processes:\n  web:\n    command: 'echo $$ >> PIDS; exec sleep 1000'\n    restart: {policy: always, backoff: {initial: 0s}}\n";
    let pids = sandbox.file("pids");
    let file = sandbox.write("web.yaml", &text.replace("PIDS", &pids));
    let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
    let first = cluster.api().events_from(1).wait_for_instance("web-1", "instance.started");
    let before = cluster.api().instance("web-1");
    assert!(before.pid != 0, "{first:?}");

    drop((registry, monitor, gateway));
    let started = || std::fs::read_to_string(&pids).unwrap_or_default().lines().count();
    until("the first one writes its PID", || started() == 1);
    proc::kill_9(before.pid);
    until("its successor, with nobody to ask", || started() == 2);

    let (_registry, _monitor, _gateway) = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let mut events = cluster.api().events_from(1);
    events.wait_for_instance("web-1", "instance.exited");
    let again = events.wait_for_instance("web-1", "instance.started");
    let after = cluster.api().instance("web-1");
    assert!(after.restarts == before.restarts + 1 && after.pid != before.pid, "{after:?} {again:?}");
}

#[test]
fn a_runner_that_finds_no_registry_starts_what_it_had() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let others = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let runner = cluster.runner();
    let pids = sandbox.file("pids");
    let text = format!(
        "processes:\n  web:\n    command: 'echo $$ >> {pids}; exec sleep 1000'\n  off:\n    command: touch {pids}.off\n    autostart: false\n"
    );
    let file = sandbox.write("web.yaml", &text);
    let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
    let started = || std::fs::read_to_string(&pids).unwrap_or_default().lines().count();
    until("the first one writes its PID", || started() == 1);
    // It writes before anybody has told the registry of it.
    cluster.api().events_from(1).wait_for_instance("web-1", "instance.started");
    let first = cluster.api().instance("web-1").pid;

    // As after a power cut: nothing is left but the disk, and this node is alone.
    let keeper = proc::keeper_of(runner.pid());
    drop((others, runner));
    [keeper, first].into_iter().for_each(proc::kill_9);
    let _runner = cluster.runner();
    until("it starts what it had", || started() == 2);
    assert!(!std::path::Path::new(&format!("{pids}.off")).exists(), "what was not wanted was started");
}

#[test]
fn kill_9_of_the_registry_loses_nothing_that_was_acknowledged() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let mut registry = cluster.registry();
    let (_monitor, _gateway) = (cluster.monitor(), cluster.gateway());
    for number in 0..20 {
        let file = sandbox.write("one.yaml", &format!("processes:\n  p{number}:\n    command: [sleep, '1']\n"));
        let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
        if number % 5 == 4 {
            drop(registry);
            registry = cluster.registry();
            let names = cluster.pmctl(&["list", "-o", "name"]).succeeded();
            let missing: Vec<String> =
                (0..=number).map(|n| format!("p{n}")).filter(|name| !names.contains(&format!("{name}-1"))).collect();
            assert!(missing.is_empty(), "{missing:?} not in\n{names}");
        }
    }
    drop(registry);
}

#[test]
fn every_service_tells_its_health_and_refuses_who_has_no_token() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let services = [
        ("registry-svc", 1, cluster.registry()),
        ("monitor-svc", 2, cluster.monitor()),
        ("gateway", 0, cluster.gateway()),
    ];
    let runner = [("runner-svc", 3, cluster.runner())];
    for (name, index, service) in services.iter().chain(&runner) {
        let ops = format!("127.0.0.1:{}", cluster.ops_port(*index));
        assert_eq!(http::get(&ops, "/healthz", None).status, 200, "{name}");
        let metrics = http::get(&ops, "/metrics", None).body;
        assert!(metrics.contains("pm_build_info"), "{name}: {metrics}");
        let stranger =
            Api::new(&Credentials { endpoint: cluster.url(*index), token: "wrong".into(), token_file: String::new() });
        // Whatever is asked: the token comes first.
        let mut client = ProcessServiceClient::new(stranger.channel());
        let refused = stranger.wait(client.list_processes(ListProcessesRequest::default())).expect_err("it is refused");
        assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{name}");
        assert!(proc::is_running(service.pid()));
    }
}
