//! A client in another language, built from `proto/` alone, through the
//! gateway's port.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::process::Stdio;
use system_tests::{DEADLINE, Lines, Sandbox, binary, python};

#[test]
fn a_python_client_lists_processes_and_follows_events() {
    let sandbox = Sandbox::new();
    let up =
        sandbox.up("processes:\n  web:\n    command: [sleep, '1000']\n    instances: 2\n    ports: {http: 8080}\n");
    let stubs = sandbox.file("stubs");
    std::fs::create_dir(&stubs).expect("the folder can be made");

    let mut client = python::program("client.py");
    client.arg(binary::workspace_root().join("proto")).args([
        &stubs,
        &up.credentials.endpoint,
        &up.credentials.token_file,
    ]);
    client.args(["instance.started", "web-2"]);
    client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().expect("Python can be started");
    let said = Lines::of(client.stdout.take().expect("it is piped"));
    let errors = Lines::of(client.stderr.take().expect("it is piped"));
    let line = |key: &str| -> Value {
        let found = said.find(DEADLINE, |line| line.starts_with(&format!("{{\"{key}\"")));
        let found = found.unwrap_or_else(|| panic!("no {key}\n{}{}", said.text(), errors.text()));
        serde_json::from_str::<Value>(&found).expect("a line of JSON")[key].clone()
    };

    assert_eq!(line("refused"), "UNAUTHENTICATED");
    assert_eq!(line("health"), "SERVING");
    let processes = line("processes");
    assert_eq!(processes[0]["spec"]["name"], "web");
    assert_eq!(processes[0]["spec"]["instances"], 2);
    assert_eq!(processes[0]["spec"]["ports"]["http"], 8080);
    line("following");

    let _ = up.pmctl(&["restart", "web-2"]).succeeded();
    let status = client.wait().expect("it is ours");
    assert!(status.success(), "{status}\n{}{}", said.text(), errors.text());
    assert!(said.ended_within(DEADLINE));
    let types: Vec<Value> = said
        .text()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?.get("event").cloned())
        .filter(|event| event["instanceId"] == "web-2")
        .map(|event| event["type"].clone())
        .collect();
    let place = |kind: &str| types.iter().position(|t| t == kind).unwrap_or_else(|| panic!("no {kind} in {types:?}"));
    assert!(place("instance.stopping") < place("instance.started"), "{types:?}");
}
