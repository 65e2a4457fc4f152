//! start, stop, restart, delete, apply: what `pmctl` says is what the kernel
//! shows, and doing it twice is harmless.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Sandbox, proc, until};

#[test]
fn start_and_stop_are_done_when_they_return_and_harmless_when_repeated() {
    let sandbox = Sandbox::new();
    let up = sandbox.up("processes:\n  web:\n    command: [sleep, '1000']\n    instances: 3\n");
    let api = up.api();
    let pids = |api: &system_tests::Api| -> Vec<u32> { api.instances().iter().map(|instance| instance.pid).collect() };
    let first = pids(&api);

    let _ = up.pmctl(&["start", "web"]).succeeded();
    assert_eq!(pids(&api), first, "starting what runs changes nothing");

    let _ = up.pmctl(&["stop", "web-*"]).succeeded();
    assert!(first.iter().all(|pid| !proc::is_running(*pid)), "{first:?}");
    let _ = up.pmctl(&["stop", "web"]).succeeded();

    let _ = up.pmctl(&["start", "web-2"]).succeeded();
    let now = api.instances();
    let running: Vec<&str> =
        now.iter().filter(|instance| instance.pid != 0).map(|instance| instance.id.as_str()).collect();
    assert_eq!(running, ["web-2"]);

    let before = api.instance("web-2").pid;
    let _ = up.pmctl(&["restart", "web-2"]).succeeded();
    let after = api.instance("web-2").pid;
    assert!(after != before && proc::is_running(after) && !proc::is_running(before));

    let _ = up.pmctl(&["delete", "web"]).succeeded();
    assert_eq!(api.instances().len(), 0);
    assert!(!proc::is_running(after));
}

#[test]
fn stop_ends_the_whole_tree_even_one_that_ignores_sigterm() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(
        "processes:\n  stubborn:\n    command: \"trap '' TERM; sh -c 'trap \\\"\\\" TERM; sleep 1000' & setsid sleep 1000 & \
         while :; do sleep 1; done\"\n    stop: {timeout: 500ms, kill_timeout: 30s}\n",
    );
    let root = up.api().instance("stubborn-1").pid;
    // Two shells and three sleeps, one of them in a session of its own.
    let tree = || -> Vec<u32> { proc::descendants(root).into_iter().chain([root]).collect() };
    until("the tree stands", || tree().len() >= 5);
    let tree = tree();
    let _ = up.pmctl(&["stop", "stubborn"]).succeeded();
    let left: Vec<&u32> = tree.iter().filter(|pid| proc::is_running(**pid)).collect();
    assert!(left.is_empty(), "{left:?} of {tree:?}");
}

#[test]
fn an_unchanged_file_changes_nothing_and_a_changed_one_restarts_only_what_changed() {
    let sandbox = Sandbox::new();
    let document = "processes:\n  a:\n    command: [sleep, '1000']\n  b:\n    command: [sleep, '1000']\n";
    let up = sandbox.up(document);
    let api = up.api();
    let (a, b) = (api.instance("a-1").pid, api.instance("b-1").pid);
    let same = sandbox.write("same.yaml", document);
    let _ = up.pmctl(&["apply", "-f", &same]).succeeded();
    assert_eq!((api.instance("a-1").pid, api.instance("b-1").pid), (a, b));

    let revision = api.revision();
    let changed = sandbox.write("changed.yaml", &document.replacen("1000", "2000", 1));
    let _ = up.pmctl(&["apply", "-f", &changed]).succeeded();
    api.events_from(revision + 1).wait_for_instance("a-1", "instance.started");
    assert_ne!(api.instance("a-1").pid, a);
    assert_eq!(api.instance("b-1").pid, b);
}

#[test]
fn an_instance_is_told_who_it_is_and_nothing_else_of_ours() {
    let sandbox = Sandbox::new();
    let up = sandbox.up_with(
        &["-f", &sandbox.write("up.yaml", "env: {GREETING: hello, SHARED: manager}\nprocesses:\n  web:\n    command: [sleep, '1000']\n    instances: 2\n    env: {SHARED: process}\n")],
        &[("PM_LOG", "info")],
    );
    let pid = up.api().instance("web-2").pid;
    let variable = |name: &str| proc::environment_variable(pid, name);
    for (name, value) in [
        ("PM_PROCESS", "web"),
        ("PM_INSTANCE", "web-2"),
        ("PM_INSTANCE_INDEX", "2"),
        ("GREETING", "hello"),
        ("SHARED", "process"),
    ] {
        assert_eq!(variable(name).as_deref(), Some(value), "{name}");
    }
    assert!(variable("PM_NODE").is_some());
    assert_eq!(variable("PM_LOG"), None);
}

#[test]
fn machine_formats_hold_that_document_only() {
    let sandbox = Sandbox::new();
    let up = sandbox.up("processes:\n  web:\n    command: [sleep, '1000']\n    instances: 2\n");
    for verb in [&["list"][..], &["status"], &["nodes"], &["events"]] {
        let json = up.pmctl(&[verb, &["-o", "json"]].concat()).succeeded();
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&json);
        assert!(parsed.is_ok(), "{verb:?}: {json}");
    }
    let names = up.pmctl(&["list", "-o", "name"]).succeeded();
    assert_eq!(names.lines().collect::<Vec<_>>(), ["instance/web-1", "instance/web-2"]);
}
