//! What a runner shows of itself with nobody else asked: metrics on its
//! operations port, instances on its own gRPC port.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pm_proto::v1;
use pm_proto::v1::instance_service_client::InstanceServiceClient;
use process_model::event_type;
use process_model::spec::{Condition, Dependency};
use rustix::process::Signal;
use service_host::client::service_channel;
use service_host::secret::Secret;
use service_host::transport::Dial;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{Node, kill, sh};

/// The value of a field of the line that says that the runner was started.
async fn told(log: &Path, field: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let line = text.lines().find(|line| line.contains("runner started")).map(str::to_owned);
        if let Some(line) = line {
            let at = line.split(' ').find_map(|word| word.strip_prefix(&format!("{field}=")));
            return at.unwrap_or_else(|| panic!("no {field} in {line}")).to_owned();
        }
        assert!(Instant::now() < deadline, "the runner does not start: {text}");
        tick.tick().await;
    }
}

fn scrape(address: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Scrapes until all of `lines` are there.
async fn shows(address: &str, lines: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        let text = scrape(address);
        let Some(missing) = lines.iter().find(|line| !text.lines().any(|shown| shown == **line)) else { return };
        assert!(Instant::now() < deadline, "no {missing:?} in\n{text}");
        tick.tick().await;
    }
}

#[tokio::test]
async fn a_runner_shows_its_numbers_and_its_instances() {
    let mut node = Node::new().await;
    let log = node.path("runner.log");
    let mut command = node.command();
    // Without colours, which a test would have to take out again.
    command.env("NO_COLOR", "1").stderr(Stdio::from(std::fs::File::create(&log).unwrap()));
    node.runner = Some(command.spawn().unwrap());
    let steady = sh(&node, "steady", "exec sleep 1000");
    let mut waits = sh(&node, "waits", "exec sleep 1000");
    waits.depends_on.push(Dependency { process: "elsewhere".parse().unwrap(), condition: Condition::Ready });
    let bad = {
        let mut bad = sh(&node, "bad", "true");
        bad.working_dir = Some("/nonexistent".into());
        bad.restart.mode = process_model::spec::RestartMode::Never;
        bad
    };
    node.assign(&[(steady, true, 1), (waits, true, 1), (bad, true, 1)]);
    let pid = node.event(event_type::INSTANCE_STARTED).await.pid;
    kill(pid, Signal::KILL);
    let report = node.event(event_type::INSTANCE_STARTED).await;
    assert_eq!(report.instance.to_string(), "steady-1");
    assert!(["cgroup-v2", "cgroup-v1", "session"].contains(&report.containment.as_str()), "{:?}", report.containment);

    let ops = told(&log, "ops_address").await;
    shows(
        &ops,
        &[
            "pm_runner_instances{phase=\"running\"} 1",
            "pm_runner_instances{phase=\"pending\"} 1",
            "pm_runner_instances{phase=\"failed\"} 1",
            "pm_runner_instances{phase=\"backoff\"} 0",
            "pm_runner_instances_ready 1",
            "pm_runner_starts_total{process=\"steady\"} 2",
            "pm_runner_restarts_total{process=\"steady\"} 1",
            "pm_runner_start_failures_total{process=\"bad\"} 1",
            "pm_runner_keeper_connected 1",
            "pm_runner_keeper_losses_total 0",
            "pm_runner_registry_connected 1",
        ],
    )
    .await;

    let dial = Dial::Tcp(format!("http://{}", told(&log, "address").await));
    let channel = service_channel(&dial, &Secret::new("test-token").unwrap()).unwrap();
    let answer = InstanceServiceClient::new(channel).list_instances(v1::ListInstancesRequest::default()).await.unwrap();
    let instances = answer.into_inner().instances;
    let of = |id: &str| instances.iter().find(|instance| instance.id == id).unwrap();
    assert_eq!(of("steady-1").containment, report.containment);
    assert_eq!(of("waits-1").containment, "");
    assert!(of("waits-1").message.contains("elsewhere: no instance on this node"), "{}", of("waits-1").message);

    node.close_registry();
    shows(&ops, &["pm_runner_registry_connected 0"]).await;
}
