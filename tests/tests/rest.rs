//! The gateway as `curl` sees it: JSON, server-sent events and metrics on the
//! one port, with the printed token.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Write as _};
use system_tests::{DEADLINE, Sandbox, http, until};

const TALKER: &str = "processes:\n  talker:\n    command: 'echo hello; exec sleep 1000'\n    instances: 2\n";

#[test]
fn curl_stops_starts_and_looks() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(TALKER);
    let (authority, token) = (up.credentials.authority(), Some(up.credentials.token.as_str()));
    let mut events = up.api().events_from(1);

    let status = http::get(authority, "/status", token);
    assert_eq!(status.status, 200, "{status:?}");
    let status = status.json();
    for (list, count) in [("nodes", 1), ("processes", 1), ("instances", 2)] {
        assert_eq!(status[list].as_array().map(Vec::len), Some(count), "{list} in {status}");
    }

    let stopped =
        http::request(authority, "POST", "/api/v1/processes/talker:stop", token, Some(r#"{"reason":"test"}"#));
    assert_eq!(stopped.status, 200, "{stopped:?}");
    assert_eq!(stopped.json()["actions"].as_array().map(Vec::len), Some(2));
    for _ in 0..2 {
        events.wait_for("a finished action", |event| event.r#type == "action.done");
    }
    let instance = http::get(authority, "/api/v1/instances/talker-1", token).json();
    assert_eq!(instance["instance"]["phase"], "INSTANCE_PHASE_STOPPED", "{instance}");

    let audit = http::get(authority, "/api/v1/audit", token).json();
    let entry = &audit["entries"][0];
    assert_eq!(
        (&entry["command"], &entry["actor"], &entry["reason"]),
        (&"stop".into(), &"admin".into(), &"test".into())
    );
}

#[test]
fn logs_are_followed_as_server_sent_events() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(TALKER);
    let authority = up.credentials.authority();
    let mut stream = http::connect(authority, DEADLINE);
    let request = format!(
        "GET /api/v1/instances/talker-1/logs?follow=true HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {}\r\n\r\n",
        up.credentials.token
    );
    stream.write_all(request.as_bytes()).expect("it is taken");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.next().is_some_and(|line| line.starts_with("HTTP/1.1 200")));
    assert!(lines.any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream")));
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).expect("a chunk comes");
    let chunk: serde_json::Value = serde_json::from_str(&data).expect("it is JSON");
    assert_eq!(chunk["chunk"]["instanceId"], "talker-1", "{chunk}");
    assert_eq!(chunk["text"], "hello\n", "{chunk}");
}

#[test]
fn metrics_have_help_and_name_every_instance() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(TALKER);
    let (authority, token) = (up.credentials.authority(), Some(up.credentials.token.as_str()));
    let sample =
        |text: &str| text.lines().filter(|line| !line.starts_with('#') && line.contains("process=\"talker\"")).count();
    let mut text = String::new();
    until("measures of both instances", || {
        text = http::get(authority, "/metrics", token).body;
        sample(&text) >= 2
    });
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().expect("a name");
        let family = name.trim_end_matches("_total");
        let has_help = text.contains(&format!("# HELP {name} ")) || text.contains(&format!("# HELP {family} "));
        assert!(has_help, "{name} has no help:\n{text}");
    }
}
