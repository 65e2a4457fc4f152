//! What was is kept: definitions, the audit log, events; through the built
//! programs, with a reader that knows nothing of our code.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::Signal;
use serde_json::Value;
use system_tests::{Outcome, Sandbox, Up, http, python, until};

const CANARY: &str = "canary-31337";

fn web(port: u16, secret: &str) -> String {
    format!(
        "processes:\n  web:\n    command: 'exec sleep 1000 # --port {port} --password {secret}'\n    env: {{ PLAIN: {secret} }}\n"
    )
}

fn apply(sandbox: &Sandbox, up: &Up<'_>, text: &str, more: &[&str]) -> Outcome {
    let file = sandbox.write("web.yaml", text);
    let args: Vec<&str> = ["apply", "-f", &file].into_iter().chain(more.iter().copied()).collect();
    up.pmctl(&args)
}

fn json(outcome: Outcome) -> Value {
    serde_json::from_str(&outcome.succeeded()).expect("it is JSON")
}

fn verified(export: &str) -> Outcome {
    Outcome::of(python::program("verify_audit.py").arg(export))
}

#[test]
fn a_change_is_listed_compared_taken_back_and_proven() {
    let sandbox = Sandbox::new();
    let mut up = sandbox.up("processes:\n  other:\n    command: [sleep, '1000']\n");
    let mut shown = Vec::new();
    let _ = apply(&sandbox, &up, &web(80, "first"), &["--reason", "begin"]).succeeded();
    let _ = apply(&sandbox, &up, &web(8080, CANARY), &["--reason", "new port", "--if-version", "web=1"]).succeeded();

    // Somebody who has not seen that is told who was first.
    apply(&sandbox, &up, &web(9090, "x"), &["--if-version", "web=1"])
        .failed(5, &["generation 2, not 1", "admin", "GENERATION_MISMATCH"]);

    let history = json(up.pmctl(&["history", "web", "-o", "json"]));
    let said: Vec<_> = history["items"].as_array().unwrap().iter().map(|g| (&g["generation"], &g["reason"])).collect();
    assert_eq!(said, [(&"2".into(), &"new port".into()), (&"1".into(), &"begin".into())]);
    shown.push(up.pmctl(&["history", "web", "-o", "wide"]).succeeded());
    assert!(shown[0].contains("new port") && shown[0].contains("current"), "{}", shown[0]);

    let diff = up.pmctl(&["diff", "web"]).succeeded();
    let body: Vec<&str> = diff.lines().skip(2).collect();
    assert_eq!(
        body,
        [
            "-command.shell: exec sleep 1000 # --port 80 --password ***",
            "+command.shell: exec sleep 1000 # --port 8080 --password ***",
            "!env.PLAIN: ***"
        ],
        "{diff}"
    );
    assert!(diff.starts_with("--- web generation 1, by admin") && diff.contains("ago: new port"), "{diff}");
    let file = sandbox.write("next.yaml", &web(8081, CANARY));
    let next = up.pmctl(&["diff", "-f", &file]);
    assert_eq!(next.code, 1, "something differs: {next}");
    let next = next.stdout;
    assert!(next.contains("+command.shell: exec sleep 1000 # --port 8081") && !next.contains("env.PLAIN"), "{next}");
    shown.extend([diff, next]);
    shown.push(up.pmctl(&["diff", "web", "1", "2", "-o", "json"]).succeeded());

    let rolled = up.pmctl(&["rollback", "web", "--to", "1", "--reason", "errors"]).succeeded();
    assert_eq!(rolled, "process/web rolled back, as generation 3\n");
    let process = json(up.pmctl(&["list", "--processes", "web", "-o", "json"]));
    assert_eq!(process["items"][0]["spec"]["env"]["PLAIN"], "first", "{process}");
    up.pmctl(&["rollback", "web", "--to", "9"]).failed(4, &["no generation 9", "1 to 3"]);

    // Everything is still there, and still whole, for the next `up`.
    let _ = up.end_with(Signal::TERM);
    drop(up);
    let up = sandbox.up("processes:\n  other:\n    command: [sleep, '1000']\n");
    let holds = up.pmctl(&["audit", "--verify"]).succeeded();
    assert!(holds.starts_with("the audit log holds: "), "{holds}");
    let head = holds.lines().find_map(|line| line.strip_prefix("head ")).expect("it names the head").to_owned();
    let _ = up.pmctl(&["audit", "--verify", "--known", &head]).succeeded();
    let forged = format!("{}:{}", head.split(':').next().unwrap(), "0".repeat(64));
    up.pmctl(&["audit", "--verify", "--known", &forged]).failed(10, &["changed"]);

    let rows = json(up.pmctl(&["audit", "--process", "web", "-o", "json"]));
    let commands: Vec<_> = rows["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["command"].as_str().unwrap(), e["outcome"].as_str().unwrap()))
        .collect();
    let (ok, refused) = ("AUDIT_OUTCOME_ACCEPTED", "AUDIT_OUTCOME_REFUSED");
    assert_eq!(commands, [("rollback", refused), ("rollback", ok), ("apply", refused), ("apply", ok), ("apply", ok)]);
    assert_eq!(rows["items"][2]["refusalReason"], "GENERATION_MISMATCH");
    assert_eq!(rows["items"][1]["reason"], "errors");
    shown.extend([rows.to_string(), up.pmctl(&["audit", "-o", "wide"]).succeeded()]);

    // Another language agrees on every hash.
    let export = sandbox.file("audit.ndjson");
    let _ = up.pmctl(&["audit", "--export", &export]).succeeded();
    let text = std::fs::read_to_string(&export).unwrap();
    let python_head = verified(&export).succeeded();
    assert_eq!(python_head.trim(), text_head(&text));
    assert_eq!(up.pmctl(&["audit", "--export", "-"]).succeeded(), text);
    let _ = sandbox.pmctl(&["audit", "--verify", "--file", &export, "--known", &head]).succeeded();
    shown.push(text.clone());

    tampered(&sandbox, &text);

    let (authority, token) = (up.credentials.authority(), Some(up.credentials.token.as_str()));
    for path in [
        "/api/v1/processes/web/generations",
        "/api/v1/processes/web/generation?generation=2",
        "/api/v1/processes/web/diff?from=1&to=2",
        "/api/v1/audit?target=web",
        "/api/v1/audit/log",
        "/api/v1/events/history?selectors=web",
    ] {
        let answer = http::get(authority, path, token);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        shown.push(answer.body);
    }
    for text in &shown {
        assert!(!text.contains(CANARY), "a secret is in {text:.3000}");
    }
}

/// `NUMBER:HASH` of the last line.
fn text_head(export: &str) -> String {
    let last: Value = serde_json::from_str(export.lines().last().unwrap()).unwrap();
    format!("{}:{}", last["number"].as_str().unwrap(), last["hash"].as_str().unwrap())
}

/// Whatever is done to an export, both readers notice, and ours says where.
fn tampered(sandbox: &Sandbox, export: &str) {
    let lines: Vec<&str> = export.lines().collect();
    assert!(lines.len() > 5, "{export}");
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let changed = lines[2].replacen("\"actor\":\"", "\"actor\":\"not-", 1);
    let without: Vec<&str> = lines.iter().enumerate().filter(|(n, _)| *n != 2).map(|(_, line)| *line).collect();
    let mut twice = lines.clone();
    twice.insert(2, lines[1]);
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let mut edited = lines.clone();
    edited[2] = &changed;
    for (what, text) in [
        ("changed", joined(&edited)),
        ("removed", joined(&without)),
        ("put in", joined(&twice)),
        ("moved", joined(&swapped)),
    ] {
        assert_ne!(text, export, "{what}");
        let file = sandbox.write("tampered.ndjson", &text);
        sandbox.pmctl(&["audit", "--verify", "--file", &file]).failed(10, &["broken at entry 3"]);
        assert_ne!(verified(&file).code, 0, "{what}");
    }
    // A file that was cut within its last line, and one that was cut after a line.
    let cut = sandbox.write("cut.ndjson", export.trim_end());
    sandbox.pmctl(&["audit", "--verify", "--file", &cut]).failed(10, &["does not end"]);
    let shorter = sandbox.write("shorter.ndjson", &joined(&lines[..lines.len() - 1]));
    sandbox
        .pmctl(&["audit", "--verify", "--file", &shorter, "--known", &text_head(export)])
        .failed(10, &["newest entries were removed"]);
}

#[test]
fn a_deleted_process_is_brought_back_and_attempts_in_vain_are_counted() {
    let sandbox = Sandbox::new();
    let up = sandbox.up("processes:\n  other:\n    command: [sleep, '1000']\n");
    let _ = apply(&sandbox, &up, &web(80, "a"), &[]).succeeded();
    let _ = up.pmctl(&["delete", "web", "-y"]).succeeded();
    for _ in 0..4 {
        up.pmctl(&["stop", "nosuch"]).failed(4, &["nosuch"]);
    }
    let rows = json(up.pmctl(&["audit", "--process", "nosuch", "-o", "json"]));
    assert_eq!(rows["items"].as_array().map(Vec::len), Some(1), "{rows}");
    assert_eq!(rows["items"][0]["refusalReason"], "NOT_FOUND");
    // What the gateway refuses is in the log too, under the name of who tried.
    let viewer = sandbox.state_dir().join("token.viewer");
    up.pmctl(&["--token-file", viewer.to_str().unwrap(), "delete", "other", "-y"]).failed(7, &["viewer"]);
    let mut tried = Value::Null;
    until("the gateway's word of a refused call", || {
        tried =
            json(up.pmctl(&["audit", "--actor", "viewer", "-o", "json"]))["items"].get(0).cloned().unwrap_or_default();
        !tried.is_null()
    });
    assert_eq!((&tried["refusalReason"], &tried["count"]), (&"PERMISSION_DENIED".into(), &"1".into()), "{tried}");
    assert!(tried["command"].as_str().unwrap().ends_with("DeleteProcesses"), "{tried}");
    assert!(tried["source"].as_str().unwrap().starts_with("127.0.0.1:"), "{tried}");
    let history = up.pmctl(&["history", "web", "-o", "name"]).succeeded();
    assert_eq!(history, "generation/web/1\n");
    let back = up.pmctl(&["rollback", "web"]).succeeded();
    assert_eq!(back, "process/web is back, as generation 2\n");
    let _ = up.pmctl(&["audit", "--verify"]).succeeded();
}

#[test]
fn events_are_looked_up_by_process_node_and_time() {
    let sandbox = Sandbox::new();
    let up = sandbox.up("processes:\n  web:\n    command: [sleep, '1000']\n  db:\n    command: [sleep, '1000']\n");
    let node = json(up.pmctl(&["nodes", "-o", "json"]))["items"][0]["name"].as_str().unwrap().to_owned();
    let kinds = |args: &[&str]| -> Vec<String> {
        let args: Vec<&str> = ["events", "-o", "jsonl"].into_iter().chain(args.iter().copied()).collect();
        let lines = up.pmctl(&args).succeeded();
        lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned())
            .collect()
    };
    let of_web = kinds(&["web", "--since", "1h"]);
    assert_eq!(&of_web[..2], ["process.created", "instance.assigned"], "oldest first: {of_web:?}");
    assert_eq!(kinds(&["web", "--tail", "1"]), of_web[of_web.len() - 1..]);
    assert_eq!(kinds(&["--node", &node, "--type", "node.*"]), ["node.ready"]);
    assert!(kinds(&["--node", "elsewhere"]).is_empty());
    assert!(kinds(&["--until", "1h"]).is_empty());
    assert_eq!(kinds(&["--type", "process.created"]).len(), 2);
    up.pmctl(&["events", "--since", "yesterday"]).failed(2, &["10m"]);
}
