//! Reload, explain, describe, and the output of failures: what people ask for
//! and read.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::event::Detail;
use system_tests::{Sandbox, http, proc, until};

/// Tells of each SIGHUP, and stays.
const HEEDS_HUP: &str = "trap 'echo read anew' HUP; echo waiting; while :; do sleep 1000 & wait $!; done";

#[test]
fn reload_without_a_hook_sends_sighup_and_keeps_the_process() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(&format!("processes:\n  web:\n    command: \"{HEEDS_HUP}\"\n"));
    until("it waits", || up.pmctl(&["logs", "web"]).succeeded().contains("waiting"));
    let before = up.api().instance("web-1");
    let said = up.pmctl(&["reload", "web", "--reason", "new key"]).succeeded();
    assert!(said.contains("web-1 reloaded"), "{said}");
    until("it has read anew", || up.pmctl(&["logs", "web"]).succeeded().contains("read anew"));
    let after = up.api().instance("web-1");
    assert_eq!((after.pid, after.restarts, after.generation), (before.pid, before.restarts, before.generation));
    up.api().events_from(1).wait_for_instance("web-1", "instance.reloaded");
    assert!(up.pmctl(&["audit"]).succeeded().contains("new key"));
    assert!(up.pmctl(&["actions", "web"]).succeeded().contains("reload"));
    let answer = http::request(
        up.credentials.authority(),
        "POST",
        "/api/v1/processes/web:reload",
        Some(&up.credentials.token),
        None,
    );
    assert_eq!(
        (answer.status, &answer.json()["actions"][0]["verb"]),
        (200, &"ACTION_VERB_RELOAD".into()),
        "{answer:?}"
    );
}

#[test]
fn reload_runs_the_hook_and_its_failure_is_the_actions() {
    let sandbox = Sandbox::new();
    let mark = sandbox.file("mark");
    let up = sandbox.up(&format!(
        "processes:\n  good:\n    command: [sleep, '1000']\n    hooks: {{reload: {{command: 'echo $PM_HOOK > {mark}'}}}}\n  \
         bad:\n    command: [sleep, '1000']\n    hooks: {{reload: {{command: exit 3}}}}\n"
    ));
    let _ = up.pmctl(&["reload", "good"]).succeeded();
    assert_eq!(std::fs::read_to_string(&mark).expect("the hook has run").trim(), "reload");
    let pid = up.api().instance("bad-1").pid;
    up.pmctl(&["reload", "bad"]).failed(1, &["reload failed", "3"]);
    assert_eq!(up.api().instance("bad-1").pid, pid, "a failed reload ended it");
}

#[test]
fn what_does_not_run_cannot_be_reloaded() {
    let sandbox = Sandbox::new();
    let up = sandbox.up("processes:\n  web:\n    command: [sleep, '1000']\n");
    let _ = up.pmctl(&["stop", "web"]).succeeded();
    up.pmctl(&["reload", "web"]).failed(1, &["web-1 reload failed"]);
    assert!(!up.api().instance("web-1").wanted, "a reload started it");
    up.pmctl(&["reload", "nosuch"]).failed(4, &["nosuch"]);
}

#[test]
fn a_failure_comes_with_the_last_output_of_the_program() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(
        "processes:\n  bad:\n    command: 'for i in 1 2 3; do echo out $i; done; echo the disk is full >&2; exit 7'\n    \
         restart: never\n",
    );
    let failed = up.api().events_from(1).wait_for_instance("bad-1", "instance.failed");
    let Some(Detail::Instance(detail)) = failed.detail else { panic!("no detail") };
    for line in ["out 1", "out 3", "the disk is full"] {
        assert!(detail.log_lines.iter().any(|of| of.contains(line)), "{line} is not in {:?}", detail.log_lines);
    }
    let said = up.pmctl(&["events", "bad", "--type", "instance.failed"]).succeeded();
    assert!(said.contains("    | the disk is full"), "{said}");
    let json = up.pmctl(&["events", "bad", "--type", "instance.failed", "-o", "json"]).succeeded();
    assert!(json.contains("logLines") && json.contains("the disk is full"), "{json}");
    // Everything in one place.
    let described = up.pmctl(&["describe", "bad"]).succeeded();
    for part in ["process bad", "restart", "RESTART_MODE_NEVER", "bad-1", "exit code 7", "    | the disk is full"] {
        assert!(described.contains(part), "{part:?} is not in\n{described}");
    }
}

#[test]
fn explain_restart_tells_the_series_of_a_file_and_of_what_runs() {
    let sandbox = Sandbox::new();
    let document = "processes:\n  bad:\n    command: exit 3\n    restart: {policy: on-failure, max_restarts: 4, \
                    backoff: {initial: 100s, max: 1000s, factor: 3}}\n  web:\n    command: [sleep, '1000']\n";
    let file = sandbox.write("explain.yaml", document);
    let said = sandbox.pmctl(&["explain", "restart", "-f", &file, "bad"]).succeeded();
    for part in ["restart on-failure", "100s", "90s to 110s", "300s", "900s", "1000s", "given up", "a run of"] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    sandbox.pmctl(&["explain", "restart", "-f", &file, "nosuch"]).failed(4, &["no process"]);
    let up = sandbox.up_with(&["-f", &file], &[]);
    up.api().events_from(1).wait_for_instance("bad-1", "instance.backoff");
    let said = up.pmctl(&["explain", "restart", "bad"]).succeeded();
    assert!(said.contains("bad-1") && said.contains("as restart 1 of the series"), "{said}");
    let json = up.pmctl(&["explain", "restart", "bad-1", "-o", "json"]).succeeded();
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(json["delays"]["steps"][1]["shortest"], "270s", "{json}");
    assert_eq!(
        (&json["instances"][0]["id"], &json["instances"][0]["comingRestart"]),
        (&"bad-1".into(), &1.into()),
        "{json}"
    );
    let said = up.pmctl(&["explain", "restart", "web"]).succeeded();
    assert!(said.contains("restarted however it ends") && said.contains("every further one as the last"), "{said}");
    up.pmctl(&["explain", "restart", "nosuch"]).failed(4, &["nosuch"]);
    // What holds the tree together is told, whatever this machine has.
    let status = up.pmctl(&["status", "web"]).succeeded();
    assert!(status.contains("held by"), "{status}");
    assert!(proc::is_running(up.api().instance("web-1").pid));
}
