//! The README's first minutes: `pmctl up` on the quickstart, a second terminal
//! beside it, Ctrl-C at the end.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::Signal;
use std::process::Stdio;
use system_tests::{DEADLINE, Lines, Sandbox, binary, http, proc, until};

fn quickstart() -> String {
    binary::workspace_root().join("examples/quickstart.yaml").to_str().expect("the path is UTF-8").to_owned()
}

#[test]
fn quickstart_comes_up_and_a_second_terminal_uses_it() {
    let sandbox = Sandbox::new();
    let mut up = sandbox.up_with(&["-f", &quickstart()], &[]);
    let api = up.api();
    let mut events = api.events_from(1);

    let status = up.pmctl(&["status"]).succeeded();
    for instance in api.instances() {
        assert!(status.contains(&instance.process), "{} is not in:\n{status}", instance.process);
    }

    let mut follow = sandbox.command(&["logs", "-f", "ticker"]);
    let mut follow = follow.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("pmctl can be started");
    let lines = Lines::of(follow.stdout.take().expect("it is piped"));
    let mut count = 0;
    let third = lines.find(DEADLINE, |_| {
        count += 1;
        count == 3
    });
    assert!(third.is_some(), "fewer than three lines of the ticker:\n{}", lines.text());
    follow.kill().expect("it runs");
    follow.wait().expect("it is ours");

    let authority = up.credentials.authority();
    let answer = http::get(authority, "/api/v1/processes", Some(&up.credentials.token));
    assert_eq!(answer.status, 200, "{answer:?}");
    let listed = answer.json();
    let names: Vec<_> = listed["processes"].as_array().expect("a list").iter().map(|p| &p["spec"]["name"]).collect();
    assert!(names.iter().any(|name| *name == "ticker"), "{listed}");

    // The point of the three: one crashes and backs off, one goes silent.
    events.wait_for("a back-off", |event| event.r#type == "instance.backoff");
    let silent = events.wait_for("a watchdog's timeout", |event| event.r#type == "instance.watchdog_timeout");
    events.wait_for_instance(&silent.instance_id, "instance.started");

    let pids: Vec<u32> = api.instances().iter().map(|instance| instance.pid).filter(|pid| *pid != 0).collect();
    let _ = up.pmctl(&["stop", "*"]).succeeded();
    for instance in api.instances() {
        assert!(!instance.wanted && instance.pid == 0, "{instance:?}");
    }
    assert!(pids.iter().all(|pid| !proc::is_running(*pid)), "{pids:?}");

    let code = up.end_with(Signal::INT);
    assert!(code == 0 || code == 130, "ended with {code}\n{}", up.said());
}

#[test]
fn ctrl_c_stops_everything_and_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let mut up = sandbox.up("processes:\n  tree:\n    command: sleep 1000 & sleep 1000 & wait\n    instances: 2\n");
    let keeper = up.keeper();
    let roots: Vec<u32> = up.api().instances().iter().map(|instance| instance.pid).collect();
    assert_eq!(roots.len(), 2);
    let trees =
        || -> Vec<u32> { roots.iter().flat_map(|root| proc::descendants(*root)).chain(roots.clone()).collect() };
    until("the trees stand", || trees().len() == 6);
    let trees = trees();

    let _ = up.end_with(Signal::INT);
    let left: Vec<_> = trees.iter().filter(|pid| proc::is_running(**pid)).collect();
    assert!(left.is_empty(), "still running: {left:?}\n{}", up.said());
    assert!(proc::ends(keeper), "the keeper is left\n{}", up.said());
}

#[test]
fn a_detached_up_is_found_and_ended_from_a_second_terminal() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("up.yaml", "processes:\n  idle:\n    command: [sleep, '1000']\n");
    let _ = sandbox.pmctl(&["up", "--listen", "127.0.0.1:0", "-d", "-f", &file]).succeeded();
    assert!(sandbox.pmctl(&["status"]).succeeded().contains("idle"));
    let record = std::fs::read(sandbox.state_dir().join("up.json")).expect("up.json is there");
    let record: serde_json::Value = serde_json::from_slice(&record).expect("up.json is JSON");
    let endpoint = record["endpoint"].as_str().expect("it has an endpoint");
    let _ = sandbox.pmctl(&["down"]).succeeded();
    // Where it was, nobody answers any more.
    sandbox.pmctl(&["--endpoint", endpoint, "status"]).failed(8, &["nothing answers", endpoint]);
    assert!(!sandbox.state_dir().join("up.json").exists());
}
