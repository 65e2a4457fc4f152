//! Process files through `pmctl`: what is accepted, how faults are told, and
//! that a file of the list form runs.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Outcome, Sandbox, binary, python};

fn fixture(name: &str) -> String {
    binary::workspace_root().join("tests/fixtures").join(name).to_str().expect("the path is UTF-8").to_owned()
}

#[test]
fn files_of_log_activity_watchers_are_accepted_unchanged() {
    let sandbox = Sandbox::new();
    for name in ["monitor_config.yaml", "monitor_cluster.yaml"] {
        let _ = sandbox.pmctl(&["validate", "-f", &fixture(name)]).succeeded();
    }
}

#[test]
fn a_file_of_the_list_form_runs() {
    let sandbox = Sandbox::new();
    let (one, two) = (sandbox.file("logs/one.log"), sandbox.file("logs/two.log"));
    let file = sandbox.write(
        "monitor.yaml",
        &format!(
            "processes:\n  - name: \"One\"\n    command: \"while :; do echo tick; sleep 1; done\"\n    log_file: \"{one}\"\n    \
             timeout: 60\n    interval: 5\n\n  - name: \"Two\"\n    command: \"sh -c 'echo to a file; sleep 1000' >> {two} 2>&1\"\n    \
             log_file: \"{two}\"\n    timeout: 2\n    interval: 1\n"
        ),
    );
    let up = sandbox.up_with(&["-f", &file], &[]);
    let api = up.api();
    let mut events = api.events_from(1);
    let silent = events.wait_for("a watchdog's timeout", |event| event.r#type == "instance.watchdog_timeout");
    assert_eq!(silent.process, "Two");
    events.wait_for_instance("Two-1", "instance.started");
    assert_eq!(api.instance("One-1").restarts, 0);
    assert!(std::fs::read_to_string(&one).expect("its log is there").starts_with("tick\n"));
    assert!(std::fs::read_to_string(&two).expect("its log is there").starts_with("to a file\n"));
}

#[test]
fn every_fault_of_a_file_is_told_at_once_with_its_place() {
    let sandbox = Sandbox::new();
    let text = "processes:\n  web:\n    comand: sleep 1\n    instances: many\n    restart:\n      backoff: {initial: 5 parsecs}\n  \
                late:\n    command: sleep 1\n    log_watchdog: {timeout: 2h}\n    ports: {http: 70000}\n";
    let file = sandbox.write("faulty.yaml", text);
    let outcome = sandbox.pmctl(&["validate", "-f", &file]);
    outcome.failed(2, &["comand", "instances", "parsecs", "70000", "2h"]);
    for place in ["faulty.yaml:3:5:", "faulty.yaml:4:", "faulty.yaml:6:", "faulty.yaml:9:", "faulty.yaml:10:"] {
        assert!(outcome.stderr.contains(place), "{place} is not in {outcome}");
    }
}

#[test]
fn a_name_given_twice_is_refused() {
    let sandbox = Sandbox::new();
    let map = sandbox.write("map.yaml", "processes:\n  a: {command: sleep 1}\n  a: {command: sleep 2}\n");
    sandbox.pmctl(&["validate", "-f", &map]).failed(2, &["map.yaml:3:3:", "a"]);
    let list = "processes:\n  - {name: a, command: sleep 1, log_file: /tmp/a}\n  - {name: a, command: sleep 2, log_file: /tmp/b}\n";
    let list = sandbox.write("list.yaml", list);
    sandbox.pmctl(&["validate", "-f", &list]).failed(2, &["list.yaml:3:", "twice"]);
}

#[test]
fn the_schema_agrees_with_an_independent_validator() {
    let sandbox = Sandbox::new();
    let schema = sandbox.write("schema.json", &sandbox.pmctl(&["schema"]).succeeded());
    let good = r#"{"processes": {"web": {"command": ["sleep", "1"], "instances": 2, "ports": {"http": 8080},
        "restart": {"policy": "always", "backoff": {"initial": "1s"}}, "readiness": {"http": {"port": 8080, "path": "/"}}}}}"#;
    let list = r#"{"processes": [{"name": "a", "command": "sleep 1", "log_file": "/tmp/a.log", "timeout": 60, "interval": 5}]}"#;
    let bad = r#"{"processes": {"web": {"comand": "sleep 1"}}}"#;
    let files =
        [("good.json", good), ("list.json", list), ("bad.json", bad)].map(|(name, text)| sandbox.write(name, text));
    let mut check = python::program("check_schema.py");
    let said = Outcome::of(check.arg(&schema).args(&files)).succeeded();
    let faults: Vec<usize> = said
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON"))
        .map(|document| document["faults"].as_array().expect("a list").len())
        .collect();
    assert!(faults[..2] == [0, 0] && faults[2] > 0, "{said}");
    // The reader is of the same opinion.
    assert_eq!(files.each_ref().map(|file| sandbox.pmctl(&["validate", "-f", file]).code), [0, 0, 2]);
}
