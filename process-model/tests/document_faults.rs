//! Bad process files and the exact report of each.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

use process_model::document;
use std::path::Path;

fn report(text: &[u8]) -> Vec<String> {
    match document::read("f.yaml", Path::new("/base"), text) {
        Ok(document) => panic!("accepted: {document:?}"),
        Err(faults) => faults.iter().map(|fault| fault.to_string().trim_start_matches("f.yaml:").to_owned()).collect(),
    }
}

fn refused(text: &str, expected: &[&str]) {
    assert_eq!(report(text.as_bytes()), expected, "\n{text}");
}

#[test]
fn a_fault_says_file_line_column_field_problem_and_fix() {
    let faults =
        document::read("dir/a.yaml", Path::new("/"), b"processes:\n  web: {command: x, instances: -1}\n").unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].to_string(), "dir/a.yaml:2:32: processes.web.instances: -1 is out of range; write 0 to 10000");
    assert_eq!((faults[0].line, faults[0].column), (2, 32));
    assert_eq!(faults[0].fault.field, "processes.web.instances");
}

#[test]
fn every_fault_of_every_process_is_in_one_report_by_position() {
    let text = r#"version: 2
env:
  PM_X: 1
processes:
  web:
    comand: x
    type: py/thon
    ports: {http: 70000, tls: "443"}
    restart: {policy: sometimes, backoff: {initial: 5m, factor: 0.5, max: 1m}}
    stop: {signal: SIGFOO, timeout: 2h, kill_timeout: "5"}
    readiness: {http: {port: nope, path: /health}, interval: 1ms, timeout: soon}
    log_watchdog: {timeout: 4000}
    autostart: yes
    max_restarts: 4
    colour: red
  ../x: {command: [a, [b], 5]}
"#;
    refused(
        text,
        &[
            "1:10: version: 2 is out of range; write 1",
            "3:9: env.PM_X: names that begin with PM_ are the manager's own; choose another name",
            "6:5: processes.web.comand: it is no field of a process; did you mean command?",
            "7:11: processes.web.type: \"py/thon\" is no valid name: it contains a character that is not allowed; use 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
            "8:19: processes.web.ports.http: 70000 is out of range; write 1 to 65535",
            "8:31: processes.web.ports.tls: it is the text \"443\"; write 1 to 65535 as a number without quotes",
            "9:23: processes.web.restart.policy: it is the text \"sometimes\"; write always, on-failure, never, unless-stopped",
            "9:65: processes.web.restart.backoff.factor: 0.5 is out of range; write 1 to 100",
            "10:20: processes.web.stop.signal: \"SIGFOO\" is no signal; write a name as SIGTERM or a number from 1 to 31",
            "10:37: processes.web.stop.timeout: 2h is out of range; write 0s to 1h (0 to 3600 seconds)",
            "10:55: processes.web.stop.kill_timeout: \"5\" has no unit; write 5s, or the number without quotes",
            "11:30: processes.web.readiness.http.port: \"nope\" is no name in ports; write a number from 1 to 65535",
            "11:62: processes.web.readiness.interval: 1ms is out of range; write 10ms to 1h",
            "11:76: processes.web.readiness.timeout: \"soon\" is no duration: expected number at 0; write a duration as 30s, 1m 30s or 500ms, or a number of seconds",
            "12:29: processes.web.log_watchdog.timeout: 4000 is out of range; write 1s to 1h (1 to 3600 seconds)",
            "13:16: processes.web.autostart: it is the text \"yes\"; write true or false",
            "14:5: processes.web.max_restarts: it is no field of a process; write it inside restart",
            "15:5: processes.web.colour: it is no field of a process; write one of command, type, working_dir, env, env_files, user, group, groups, umask, rlimits, nice, io_priority, oom_score_adj, cpu_affinity, no_new_privs, instances, ports, sockets, depends_on, schedule, hooks, restart, stop, readiness, liveness, watchdog, log_file, logs, log_watchdog, log_rules, placement, update, singleton, limits, labels, autostart",
            "16:3: processes.../x: \"../x\" is no valid name: it does not begin with a letter or digit; use 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
            "16:23: processes.../x.command[1]: it is a list; write a text, a number or a boolean",
        ],
    );
}

#[test]
fn the_list_form_reports_its_ranges_and_repeated_names() {
    let text = "processes:
  - name: a
    command: x
    log_file: l.log
    timeout: 0
    interval: 301
  - name: a
    command: y
  - command: z
  - name: c
    command: z
    log_watchdog: {timeout: 5}
    timeout: 6
  - text
";
    refused(
        text,
        &[
            "5:14: processes.a.timeout: 0 is out of range; write 1s to 1h (1 to 3600 seconds)",
            "6:15: processes.a.interval: 301 is out of range; write 1s to 5m (1 to 300 seconds)",
            "7:11: processes.a.name: \"a\" is defined twice, first at 2:11; rename one",
            "9:5: processes[2].name: it is missing; write name, as name: \"web\"",
            "13:5: processes.c.timeout: it is given beside log_watchdog; write it as log_watchdog.timeout",
            "14:5: processes[4]: it is the text \"text\"; write a map of name, timeout, interval, command, type, working_dir, env, env_files, user, group, groups, umask, rlimits, nice, io_priority, oom_score_adj, cpu_affinity, no_new_privs, instances, ports, sockets, depends_on, schedule, hooks, restart, stop, readiness, liveness, watchdog, log_file, logs, log_watchdog, log_rules, placement, update, singleton, limits, labels, autostart",
        ],
    );
}

/// One process with one faulty line, which is line 4.
fn refused_field(line: &str, expected: &[&str]) {
    let text = format!("processes:\n  a:\n    command: x\n    {line}\n");
    refused(&text, expected);
}

#[test]
fn a_wrong_value_is_named_with_what_to_write() {
    for (line, expected) in [
        ("user: [a]", "4:11: processes.a.user: it is a list; write a text, a number or a boolean"),
        ("user: a b", "4:11: processes.a.user: \"a b\" is no user name; write a name or a numeric id"),
        ("working_dir: 5", "4:18: processes.a.working_dir: it is the number 5; write a text, in quotes: \"5\""),
        (
            "working_dir: ~/x",
            "4:18: processes.a.working_dir: ~ is not expanded; write the whole path, as /home/NAME/…, or ./~… for a file of that name",
        ),
        ("log_file: ''", "4:15: processes.a.log_file: it is empty; write a path, or leave the field out"),
        ("env: [a=b]", "4:10: processes.a.env: it is a list; write a map, as NAME: text"),
        ("env: {A: {}}", "4:14: processes.a.env.A: it is a map; write a text, a number or a boolean"),
        ("env: {'A=': x}", "4:17: processes.a.env.A=: it is no variable name; write a name without = and NUL"),
        ("instances: 1.5", "4:16: processes.a.instances: 1.5 is no whole number in plain digits; write 0 to 10000"),
        ("instances: 012", "4:16: processes.a.instances: 012 is no whole number in plain digits; write 0 to 10000"),
        (
            "instances: two",
            "4:16: processes.a.instances: it is the text \"two\"; write 0 to 10000 as a number without quotes",
        ),
        ("ports: 80", "4:12: processes.a.ports: it is the number 80; write a map, as http: 8080, or a list of ports"),
        ("ports: [80, 0]", "4:17: processes.a.ports[1]: 0 is out of range; write 1 to 65535"),
        ("restart: no", "4:14: processes.a.restart: it is the text \"no\"; write never"),
        ("restart: false", "4:14: processes.a.restart: it is the boolean false; write never"),
        ("restart: on_failure", "4:14: processes.a.restart: it is the text \"on_failure\"; did you mean on-failure?"),
        (
            "restart: on-failure:5",
            "4:14: processes.a.restart: it is the text \"on-failure:5\"; write {policy: on-failure, max_restarts: 5}",
        ),
        (
            "restart: unless_stopped",
            "4:14: processes.a.restart: it is the text \"unless_stopped\"; write unless-stopped",
        ),
        (
            "restart: maybe",
            "4:14: processes.a.restart: it is the text \"maybe\"; write always, on-failure, never, unless-stopped",
        ),
        (
            "restart: [always]",
            "4:14: processes.a.restart: it is a list; write always, on-failure, never, unless-stopped, or a map of policy, backoff, max_restarts, reset_after, limit, success_codes, never_restart_codes, always_restart_codes, max_memory, max_runtime",
        ),
        (
            "restart: {backoff: {initial: 2m}}",
            "4:15: processes.a.restart.backoff.max: 1m is below initial; write at least the initial delay",
        ),
        ("stop: {timeout: -5}", "4:21: processes.a.stop.timeout: -5 is negative; write 0s to 1h (0 to 3600 seconds)"),
        (
            "stop: {timeout: 1e400}",
            "4:21: processes.a.stop.timeout: 1e400 is out of range; write 0s to 1h (0 to 3600 seconds)",
        ),
        (
            "stop: {timeout: .nan}",
            "4:21: processes.a.stop.timeout: it is the number .nan; write a duration as 30s, 1m 30s or 500ms, or a number of seconds",
        ),
        (
            "readiness: {}",
            "4:5: processes.a.readiness: it has no check; write http: {port: 8080, path: /health}, or one of tcp, exec, grpc, notify, log",
        ),
        (
            "readiness: {http: {port: 1}, tcp: {port: 1}}",
            "4:34: processes.a.readiness.tcp: it is given beside http; keep one of the two",
        ),
        (
            "readiness: {http: {port: 1, path: health}}",
            "4:39: processes.a.readiness.http.path: \"health\" is no absolute path of a URL; begin with / and leave out spaces",
        ),
        ("readiness: {tcp: {}}", "4:17: processes.a.readiness.tcp.port: it is missing; write port, as port: 5432"),
        (
            "type: exec",
            "4:11: processes.a.type: exec does not go with a command line; write the command as a list, or type: shell",
        ),
        (
            "timeout: 5",
            "4:5: processes.a.timeout: it is no field of a process; write it inside stop or readiness or liveness or log_watchdog",
        ),
        ("cwd: /", "4:5: processes.a.cwd: it is no field of a process; did you mean working_dir?"),
        ("command: y", "4:5: processes.a.command: it is given twice, first at 3:5; keep one"),
        ("user: !x y", "4:11: processes.a.user: the tag !x means nothing here; leave it out"),
        (
            "<<: {user: x}",
            "4:5: processes.a.<<: merge keys are no part of YAML 1.2; write the fields out, or give whole values by alias",
        ),
        ("? [a]\n    : b", "4:7: processes.a: a key is no text; write a text before the colon"),
    ] {
        refused_field(line, &[expected]);
    }
}

#[test]
fn rules_between_fields_are_reported_at_the_field_and_not_twice() {
    refused_field(
        "log_file: a.log\n    instances: 3",
        &["4:15: processes.a.log_file: 3 instances would write to one file; leave it out, or write instances: 1"],
    );
    // One mistake, one fault: neither the default of a faulty field nor a misspelt one makes another.
    refused_field(
        "restart: {backoff: {initial: x1, max: 500ms}}",
        &[
            "4:34: processes.a.restart.backoff.initial: \"x1\" is no duration: expected number at 0; write a duration as 30s, 1m 30s or 500ms, or a number of seconds",
        ],
    );
    refused(
        "processes: {a: {command: {}, type: exec}}",
        &["1:26: processes.a.command: it is a map; write a text, or a list of program and arguments"],
    );
    refused("processes: {a: {command: []}}", &["1:26: processes.a.command: it is empty; write the program to run"]);
    refused(
        "processes: {a: {}}",
        &[
            "1:13: processes.a.command: it is missing; write command, as command: [\"python3\", \"-m\", \"http.server\", \"8080\"]",
        ],
    );
}

#[test]
fn what_is_no_document_gets_one_fault() {
    for (text, expected) in [
        ("", "1:1: document: it is empty; write processes: and at least one process"),
        ("# nothing\n", "1:1: document: it is empty; write processes: and at least one process"),
        ("hello", "1:1: document: it is the text \"hello\"; write a map of version, env, env_files, processes"),
        ("- a: b", "1:1: document: it is a list; write processes: above it, and indent it"),
        (
            "version: 1",
            "1:1: processes: it is missing; write processes, as processes: {\"web\": {\"command\": \"python3 -m http.server 8080\"}}",
        ),
        (
            "processes: 5",
            "1:12: processes: it is the number 5; write a map from names to processes, or a list of processes",
        ),
        (
            "\"\": x\nprocesses: {a: {command: x}}",
            "1:1: \"\": it is no field of a process file; write one of version, env, env_files, processes",
        ),
        ("apps: []", "1:1: apps: it is no field of a process file; did you mean processes?"),
        (
            "processes: {a: {command: x}}\n---\nprocesses: {}\n",
            "2:1: document: a second document begins here; write one document, or several files",
        ),
    ] {
        refused(text, &[expected]);
    }
}

#[test]
fn broken_yaml_gives_the_place() {
    for (text, expected) in [
        (
            "processes:\n\tweb: {}\n",
            "2:2: document: broken YAML: tabs disallowed within this context (block indentation); indent with spaces",
        ),
        (
            "a:\n  b: \"c\n",
            "3:1: document: broken YAML: invalid indentation in multiline quoted scalar; close the quotes, or indent the further lines of the text",
        ),
        (
            "a:\n  b: c: d\n",
            "2:7: document: broken YAML: mapping values are not allowed in this context; indent it as its neighbours, and put a text that contains a colon in quotes",
        ),
        (
            "a:\n  b: @c\n",
            "2:6: document: broken YAML: unexpected character: `@'; put a text that begins with this character in quotes",
        ),
        (
            "a: *b\n",
            "1:4: document: broken YAML: while parsing node, found unknown anchor; define the anchor with & before it is used, or put the text in quotes",
        ),
        ("a: &a {b: *a}\n", "1:11: document: the alias is inside the value that it stands for; write the value out"),
        ("a: [b, c}\n", "1:4: document: broken YAML: mismatched bracket '[' closed by '}'; close the bracket"),
    ] {
        refused(text, &[expected]);
    }
}

#[test]
fn what_is_no_text_gets_one_fault_with_its_place() {
    assert_eq!(report(b"a:\n  b: caf\xe9"), ["2:9: document: byte 0xe9 is no UTF-8; save it as UTF-8"]);
    assert_eq!(report(b"\xff\xfea\0"), ["1:1: document: it is UTF-16; save it as UTF-8"]);
}

#[test]
fn nul_is_refused_everywhere_and_never_taken_for_the_end() {
    for (text, at) in [
        ("processes: {a: {command: x}}\0", "1:29"),
        ("processes: {a: {command: x}}\n\0\nq: 1", "2:1"),
        ("processes: {a: {command: x\0y}}", "1:27"),
        ("processes: {a: {command: \"x\0y\"}}", "1:28"),
        ("processes: {a: {command: 'x\0y'}}", "1:28"),
        ("processes: {a: {command: x}} # a\0b\nq: 1", "1:33"),
        ("processes:\n  a:\n    command: |\n      x\0y\n    q: 1\n", "4:8"),
        ("processes:\n  a:\n    command: x\0\n    q: 1\n", "3:15"),
    ] {
        let fault = "document: character U+0000 is not allowed in YAML; leave it out, or write it as \"\\u0000\" in double quotes";
        refused(text, &[&format!("{at}: {fault}")]);
    }
}

#[test]
fn a_character_that_yaml_refuses_may_be_escaped() {
    refused(
        "processes: {a: {command: \"x\u{7f}\"}}",
        &[
            "1:28: document: character U+007F is not allowed in YAML; leave it out, or write it as \"\\u007f\" in double quotes",
        ],
    );
}

#[test]
fn keys_with_control_characters_stay_on_one_line_of_the_report() {
    let key = "x".repeat(900);
    let text = format!("processes: {{a: {{command: x, \"b\\nc\\e[31m\": 1, env: {{\"PM_\\n{key}\": 1}}}}}}");
    let faults = report(text.as_bytes());
    assert!(faults[0].starts_with("1:29: processes.a.b\\nc\\u{1b}[31m: it is no field of a process"), "{faults:?}");
    assert!(faults[1].contains("processes.a.env.PM_\\nxxx") && faults[1].len() < 400, "{faults:?}");
}

#[test]
fn a_ten_megabyte_file_gets_one_fault() {
    assert_eq!(
        report(&vec![b'a'; 10_000_000]),
        ["1:1: document: it has 10000000 bytes; write at most 1048576 bytes; split it into several files"]
    );
}

#[test]
fn depth_and_aliases_are_bounded() {
    let deep = format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    refused(&deep, &["1:68: document: it is nested deeper than 64; write it flatter"]);
    let mixed = format!("{}{}{}", "- ".repeat(40), "[".repeat(40), "]".repeat(40));
    assert!(report(mixed.as_bytes())[0].ends_with("it is nested deeper than 64; write it flatter"));
    let mut laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..10 {
        let above = vec![format!("*a{}", level - 1); 9].join(",");
        laughs.push_str(&format!("a{level}: &a{level} [{above}]\n"));
    }
    assert!(report(laughs.as_bytes())[0].contains("it has more than 200000 keys and values, aliases expanded"));
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for link in 1..100 {
        chain.push_str(&format!("a{link}: &a{link} [*a{}]\n", link - 1));
    }
    assert_eq!(report(chain.as_bytes()), ["63:12: document: it is nested deeper than 64; write it flatter"]);
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 100].join(","));
    assert!(report(long.as_bytes())[0].contains("aliases expand to more than 1048576 bytes"));
}

#[test]
fn the_environment_of_all_is_bounded_by_its_copies() {
    let processes: String = (0..1000).map(|n| format!("  p{n}: {{command: x}}\n")).collect();
    let text = format!("env: {{A: {}}}\nprocesses:\n{processes}", "x".repeat(100_000));
    assert_eq!(
        report(text.as_bytes()),
        [
            "1:1: env: copied into 1000 processes it has 100001000 bytes; write less, so that it stays within 16777216 bytes"
        ]
    );
}

#[test]
fn a_report_is_bounded_and_says_so() {
    let fields: String = (0..5000).map(|n| format!("q{n}: 1, ")).collect();
    let faults = report(format!("processes: {{a: {{command: x, {fields}}}}}").as_bytes());
    assert_eq!(faults.len(), 1001);
    assert!(faults[1000].ends_with("document: 4000 or more further faults are not listed; mend these first"));
}

#[test]
fn values_of_the_environment_are_never_shown() {
    let text = "env: {A: [s3cret]}\nprocesses: {a: {command: x, env: {B: {s3cret: 1}, 'C=': s3cret, PM_D: s3cret}}}";
    let faults = report(text.as_bytes());
    assert_eq!(faults.len(), 4);
    assert!(!faults.join("\n").contains("s3cret"));
}
