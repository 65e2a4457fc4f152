//! Bad values of the fields of each topic, and the exact report of each.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

use process_model::document;
use std::path::Path;

fn report(text: &str) -> Vec<String> {
    match document::read("f.yaml", Path::new("/base"), text.as_bytes()) {
        Ok(document) => panic!("accepted: {text}\n{document:?}"),
        Err(faults) => faults.iter().map(|fault| fault.to_string().trim_start_matches("f.yaml:").to_owned()).collect(),
    }
}

/// One process with one faulty line, which is line 4: column, field below the
/// process, problem and fix.
fn refused(line: &str, expected: &str) {
    let text = format!("processes:\n  a:\n    command: x\n    {line}\n");
    let found: Vec<String> = report(&text).iter().map(|fault| fault.replacen("processes.a.", "", 1)).collect();
    assert_eq!(found, [format!("4:{expected}")], "\n{line}");
}

#[test]
fn a_wrong_size_or_mode_is_named_with_what_to_write() {
    const SIZE: &str = "write a size as 64MiB, 512M or 1.5GB, or a number of bytes";
    const MODE: &str = "write octal digits after a 0, as 022 or \"0660\"";
    for (value, problem) in [
        ("lots", "it is the text \"lots\"; @"),
        ("64 MiBs", "it is the text \"64 MiBs\"; @"),
        ("1.5", "it is the number 1.5; @"),
        ("1e9", "it is the number 1e9; @"),
        ("[1]", "it is a list; @"),
        ("true", "it is the boolean true; @"),
        ("-1", "-1 is negative; write 1MiB to 1PiB"),
        ("5", "5 is out of range; write 1MiB to 1PiB"),
        ("99999999999999999999T", "99999999999999999999T is out of range; write 1MiB to 1PiB"),
    ] {
        refused(&format!("limits: {{memory: {value}}}"), &format!("22: limits.memory: {}", problem.replace('@', SIZE)));
    }
    for (value, problem) in [
        ("22", "it is the number 22; @"),
        ("0o18", "it is the text \"0o18\"; @"),
        ("'755'", "it is the text \"755\"; @"),
        ("u=rwx", "it is the text \"u=rwx\"; @"),
        ("{}", "it is a map; @"),
        ("01777", "01777 is out of range; write 000 to 0777"),
        ("0777777777777777", "0777777777777777 is out of range; write 000 to 0777"),
    ] {
        refused(&format!("umask: {value}"), &format!("12: umask: {}", problem.replace('@', MODE)));
    }
}

#[test]
fn wrong_execution_is_named_with_what_to_write() {
    for (line, expected) in [
        ("group: [a]", "12: group: it is a list; write a text, a number or a boolean"),
        ("groups: [a, [b]]", "17: groups[1]: it is a list; write a text, a number or a boolean"),
        ("groups: [a, b c]", "17: groups[1]: \"b c\" is no group name; write a name or a numeric id"),
        ("nice: -21", "11: nice: -21 is out of range; write -20 to 19"),
        ("nice: low", "11: nice: it is the text \"low\"; write -20 to 19 as a number without quotes"),
        ("oom_score_adj: 1001", "20: oom_score_adj: 1001 is out of range; write -1000 to 1000"),
        ("io_priority: best_efort", "18: io_priority: it is the text \"best_efort\"; did you mean best-effort?"),
        ("io_priority: 5", "18: io_priority: it is the number 5; write realtime, best-effort, idle"),
        ("io_priority: {level: 5}", "5: io_priority.class: it is missing; write class, as class: \"best-effort\""),
        ("io_priority: {class: idle, level: 8}", "39: io_priority.level: 8 is out of range; write 0 to 7"),
        ("cpu_affinity: [0, 1024]", "23: cpu_affinity[1]: 1024 is out of range; write 0 to 1023"),
        (
            "cpu_affinity: 5-2",
            "19: cpu_affinity: it is the text \"5-2\"; write CPU numbers of 0 to 1023, and ranges as \"2-5\"",
        ),
        ("cpu_affinity: [1, 0-1]", "19: cpu_affinity[2]: CPU 1 is given twice; keep one"),
        ("no_new_privs: yes", "19: no_new_privs: it is the text \"yes\"; write true or false"),
        ("rlimits: [nofile]", "14: rlimits: it is a list; write a map, as nofile: 65536"),
        ("rlimits: {LimitNOFILE: 5}", "15: rlimits.LimitNOFILE: it is no resource limit; did you mean nofile?"),
        ("rlimits: {nofiles: 5}", "15: rlimits.nofiles: it is no resource limit; did you mean nofile?"),
        ("rlimits: {locks: 5}", "15: rlimits.locks: it has had no effect since Linux 2.4.25; leave it out"),
        (
            "rlimits: {nofile: many}",
            "23: rlimits.nofile: it is the text \"many\"; write a number, a size as 64MiB, or unlimited",
        ),
        ("rlimits: {nofile: {soft: 5}}", "15: rlimits.nofile.hard: it is missing; write hard, as hard: \"unlimited\""),
        (
            "rlimits: {nofile: {soft: 5, hard: 4}}",
            "23: rlimits.nofile: soft is 5, above the hard limit of 4; write soft up to hard",
        ),
        ("env_files: [a, '']", "20: env_files[1]: it is empty; write a path, or leave the field out"),
        (
            "env_files: ~/x",
            "16: env_files: ~ is not expanded; write the whole path, as /home/NAME/…, or ./~… for a file of that name",
        ),
        ("env_file: x", "5: env_file: it is no field of a process; did you mean env_files?"),
        ("supplementary_groups: x", "5: supplementary_groups: it is no field of a process; did you mean groups?"),
    ] {
        refused(line, expected);
    }
}

#[test]
fn a_wrong_socket_is_named_with_what_to_write() {
    const FORM: &str = "write an address and a port as 127.0.0.1:8080, a port, or unix:/run/NAME.sock";
    for (line, expected) in [
        ("sockets: [80]", "14: sockets: it is a list; write a map, as http: 127.0.0.1:8080".to_owned()),
        (
            "sockets: {a: {}}",
            "15: sockets.a.listen: it is missing; write listen, as listen: \"unix:/run/web.sock\"".to_owned(),
        ),
        ("sockets: {a: 0}", "18: sockets.a: 0 is out of range; write 1 to 65535".to_owned()),
        ("sockets: {a: http}", format!("18: sockets.a: \"http\" is no address; {FORM}")),
        (
            "sockets: {a: 'localhost:80'}",
            "18: sockets.a: \"localhost:80\" is no address; write 127.0.0.1:80".to_owned(),
        ),
        (
            "sockets: {a: ':80'}",
            "18: sockets.a: \":80\" is no address; write 127.0.0.1:80, or 0.0.0.0:80 for every address".to_owned(),
        ),
        (
            "sockets: {a: 'db.example:80'}",
            "18: sockets.a: \"db.example:80\" is no address; write the address of db.example instead of its name"
                .to_owned(),
        ),
        (
            "sockets: {a: {listen: 80, mode: 0600}}",
            "31: sockets.a.mode: it goes with a Unix socket only; leave it out".to_owned(),
        ),
        (
            "sockets: {a: {listen: /x, udp: true}}",
            "31: sockets.a.udp: it goes with an address and a port only; leave it out".to_owned(),
        ),
        (
            "sockets: {a: 80, b: 80}",
            "25: sockets.b: another socket listens there already; write another address".to_owned(),
        ),
        (
            "sockets: {'a:b': 80}",
            "22: sockets.a:b: \"a:b\" is no name of a socket; use 1 to 255 visible ASCII characters, no colon"
                .to_owned(),
        ),
        (
            "sockets: {a: {listen: 80, backlog: 0}}",
            "40: sockets.a.backlog: 0 is out of range; write 1 to 65535".to_owned(),
        ),
    ] {
        refused(line, &expected);
    }
    let long = format!("sockets: {{a: /{}}}", "x".repeat(107));
    refused(&long, "18: sockets.a.listen: the path has 108 bytes; write at most 107 (unix(7))");
    assert_eq!(
        report("processes: {a: {command: x, instances: 2, sockets: {s: 80}}}"),
        ["1:52: processes.a.sockets: 2 instances would listen at one address; leave them out, or write instances: 1"]
    );
}

#[test]
fn wrong_hooks_and_steps_are_named_with_what_to_write() {
    for (line, expected) in [
        (
            "hooks: ./x",
            "12: hooks: it is the text \"./x\"; write a map of pre_start, post_start, reload, pre_stop, post_stop",
        ),
        ("hooks: {prestart: x}", "13: hooks.prestart: it is no field of hooks; did you mean pre_start?"),
        ("hooks: {pre_start: 5}", "24: hooks.pre_start: it is the number 5; write a text, in quotes: \"5\""),
        ("hooks: {pre_start: []}", "24: hooks.pre_start.command: it is empty; write the program to run"),
        (
            "hooks: {reload: {timeout: 5}}",
            "13: hooks.reload.command: it is missing; write command, as command: [\"./migrate.sh\"]",
        ),
        ("hooks: {reload: {command: x, timeout: 2h}}", "43: hooks.reload.timeout: 2h is out of range; write 1ms to 1h"),
        ("pre_start: x", "5: pre_start: it is no field of a process; write it inside hooks"),
        ("stop: {steps: 5}", "19: stop.steps: it is the number 5; write a list, as [{signal: SIGINT, wait: 10s}]"),
        (
            "stop: {steps: [TERM]}",
            "20: stop.steps[0]: it is the text \"TERM\"; write a map of signal, to, wait, run, timeout",
        ),
        ("stop: {steps: [{}]}", "20: stop.steps[0]: it does nothing; write signal, run or wait"),
        (
            "stop: {steps: [{wait: 1}, {signal: FOO}]}",
            "40: stop.steps[1].signal: \"FOO\" is no signal; write a name as SIGTERM or a number from 1 to 31",
        ),
        ("stop: {steps: [{signal: TERM, to: all}]}", "39: stop.steps[0].to: it is the text \"all\"; write tree, main"),
        (
            "stop: {steps: [{signal: TERM, run: x}]}",
            "35: stop.steps[0].run: it is given beside signal; write two steps",
        ),
        (
            "stop: {steps: [{run: x, wait: 1}]}",
            "29: stop.steps[0].wait: it is given beside run; write timeout, or two steps",
        ),
        (
            "stop: {steps: [{wait: 1, to: main}]}",
            "30: stop.steps[0].to: it goes with signal only; write signal too, or leave it out",
        ),
        (
            "stop: {steps: [{wait: 2h}]}",
            "27: stop.steps[0].wait: 2h is out of range; write 0s to 1h (0 to 3600 seconds)",
        ),
        ("stop: {steps: [{run: ' '}]}", "26: stop.steps[0].run: it is empty; write the program to run"),
    ] {
        refused(line, expected);
    }
    let many = format!("stop: {{steps: [{}]}}", vec!["{wait: 1}"; 17].join(", "));
    refused(&many, "19: stop.steps: it has 17 entries; write at most 16");
}

#[test]
fn a_wrong_probe_is_named_with_what_to_write() {
    const STATUS: &str = "write status codes of 100 to 599, and ranges as \"200-299\"";
    for (line, expected) in [
        ("readiness: {notify: false}", "25: readiness.notify: it is the boolean false; write true, or leave it out".to_owned()),
        ("readiness: {log: 5}", "22: readiness.log: it is the number 5; write a text, in quotes: \"5\"".to_owned()),
        (
            "readiness: {log: '('}",
            "22: readiness.log: it is no regular expression: unclosed group; write one as the Rust crate regex reads it, as \"error: .*\"".to_owned(),
        ),
        (
            "readiness: {log: '(?=a)'}",
            "22: readiness.log: it is no regular expression: look-around, including look-ahead and look-behind, is not supported; write one as the Rust crate regex reads it, as \"error: .*\"".to_owned(),
        ),
        ("readiness: {exec: {}}", "17: readiness.exec.command: it is missing; write command, as command: [\"pg_isready\", \"-q\"]".to_owned()),
        ("readiness: {exec: ''}", "23: readiness.exec.command: it is empty; write the program to run".to_owned()),
        ("readiness: {grpc: {port: rpc}}", "30: readiness.grpc.port: \"rpc\" is no name in ports; write a number from 1 to 65535".to_owned()),
        ("readiness: {grpc: 5}", "23: readiness.grpc: it is the number 5; write a map of port, service".to_owned()),
        ("readiness: {exec: x, grpc: {port: 1}, log: x}", "43: readiness.log: it is given beside exec; keep one of the two".to_owned()),
        ("readiness: {http: {port: 1, method: get}}", "41: readiness.http.method: \"get\" is no method; write one in capitals, as HEAD".to_owned()),
        ("readiness: {http: {port: 1, headers: [a]}}", "42: readiness.http.headers: it is a list; write a map, as NAME: text".to_owned()),
        (
            "readiness: {http: {port: 1, headers: {'a b': c}}}",
            "50: readiness.http.headers.a b: it is no name of a header; use letters, digits and -".to_owned(),
        ),
        ("readiness: {http: {port: 1, status: 99}}", "41: readiness.http.status: 99 is out of range; write 100 to 599".to_owned()),
        (
            "readiness: {http: {port: 1, status: [200, 2xx]}}",
            "47: readiness.http.status[1]: it is the text \"2xx\"; write 100 to 599 as a number without quotes".to_owned(),
        ),
        (
            "readiness: {http: {port: 1, status: 299-200}}",
            format!("41: readiness.http.status: it is the text \"299-200\"; {STATUS}"),
        ),
        ("readiness: {tcp: {port: 1}, success_threshold: 0}", "52: readiness.success_threshold: 0 is out of range; write 1 to 1000".to_owned()),
        ("liveness: {notify: true}", "16: liveness.notify: it is no field of liveness; write one of http, tcp, exec, grpc, initial_delay, interval, timeout, failure_threshold".to_owned()),
        ("watchdog: 1ms", "15: watchdog: 1ms is out of range; write 100ms to 1day".to_owned()),
        ("watchdog: {timeout: 5}", "15: watchdog: it is a map; write a duration as 30s, 1m 30s or 500ms, or a number of seconds".to_owned()),
    ] {
        refused(line, &expected);
    }
}

#[test]
fn wrong_logs_and_limits_are_named_with_what_to_write() {
    for (line, expected) in [
        ("logs: {max_bytes: 5}", "12: logs.max_bytes: it is no field of logs; did you mean max_size?"),
        ("logs: {compress: lz4}", "22: logs.compress: it is the text \"lz4\"; write none, gzip, zstd"),
        ("logs: {compress: gz}", "22: logs.compress: it is the text \"gz\"; write none, gzip, zstd"),
        ("logs: {format: json}", "20: logs.format: it is the text \"json\"; write raw, ecs, otel"),
        ("logs: {max_size: 1}", "22: logs.max_size: 1 is out of range; write 4KiB to 1TiB"),
        (
            "logs: {quota: 1MiB}",
            "19: logs.quota: 1MiB is less than the max_size of one file, 64MiB; write at least max_size, or a smaller max_size",
        ),
        (
            "logs: {retention: 4000days}",
            "23: logs.retention: 4000days is out of range; write 1s to 3650days (1 to 315360000 seconds)",
        ),
        ("log_rules: {a: b}", "16: log_rules: it is a map; write a list, as [{name: oops, pattern: \"error: \"}]"),
        (
            "log_rules: [{name: a}]",
            "17: log_rules[0].pattern: it is missing; write pattern, as pattern: \"OutOfMemoryError\"",
        ),
        (
            "log_rules: [{name: a b, pattern: x}]",
            "24: log_rules[0].name: \"a b\" is no valid name: it contains a character that is not allowed; use 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
        ),
        (
            "log_rules: [{name: a, pattern: x}, {name: a, pattern: y}]",
            "47: log_rules[1].name: \"a\" is given twice; keep one",
        ),
        (
            "log_rules: [{name: a, pattern: '*'}]",
            "36: log_rules[0].pattern: it is no regular expression: repetition operator missing expression; write one as the Rust crate regex reads it, as \"error: .*\"",
        ),
        (
            "log_rules: [{name: a, pattern: x, action: kill}]",
            "47: log_rules[0].action: it is the text \"kill\"; write event, alert, restart",
        ),
        (
            "limits: {cpu: 500m}",
            "19: limits.cpu: it is the text \"500m\"; write 0.01 to 1024 as a number without quotes",
        ),
        ("limits: {cpu: 0}", "19: limits.cpu: 0 is out of range; write 0.01 to 1024"),
        ("limits: {mode: soft}", "20: limits.mode: it is the text \"soft\"; write enforce, observe"),
        ("memory: 5", "5: memory: it is no field of a process; write it inside limits"),
    ] {
        refused(line, expected);
    }
}

#[test]
fn wrong_restarts_are_named_with_what_to_write() {
    for (line, expected) in [
        ("restart: {limit: 5}", "22: restart.limit: it is the number 5; write a map of restarts, within"),
        (
            "restart: {limit: {restarts: 5}}",
            "15: restart.limit.within: it is missing; write within, as within: \"10m\"",
        ),
        ("restart: {success_codes: 256}", "30: restart.success_codes: 256 is out of range; write 0 to 255"),
        (
            "restart: {success_codes: [1, x]}",
            "34: restart.success_codes[1]: it is the text \"x\"; write 0 to 255 as a number without quotes",
        ),
        (
            "restart: {success_codes: [3], always_restart_codes: [4, 3]}",
            "61: restart.always_restart_codes[1]: code 3 is in success_codes too; keep it in one list",
        ),
        ("restart: {max_memory: 5}", "27: restart.max_memory: 5 is out of range; write 1MiB to 1PiB"),
        (
            "restart: {max_runtime: 2years}",
            "28: restart.max_runtime: 2years is out of range; write 1s to 365days (1 to 31536000 seconds)",
        ),
        ("restart: {exitcodes: 1}", "15: restart.exitcodes: it is no field of restart; did you mean success_codes?"),
    ] {
        refused(line, expected);
    }
}

#[test]
fn wrong_schedules_are_named_with_what_to_write() {
    for (line, expected) in [
        (
            "schedule: [x]",
            "15: schedule: it is a list; write a cron expression, or a map of cron, timezone, overlap, catch_up, jitter",
        ),
        (
            "schedule: {timezone: UTC}",
            "5: schedule.cron: it is missing; write cron, as cron: \"*/15 8-18 * * MON-FRI\"",
        ),
        (
            "schedule: {cron: '@daily', overlap: allow}",
            "41: schedule.overlap: it is the text \"allow\"; write skip, queue, replace",
        ),
        (
            "schedule: {cron: '@daily', jitter: 2days}",
            "40: schedule.jitter: 2days is out of range; write 0s to 1day (0 to 86400 seconds)",
        ),
        ("cron: '@daily'", "5: cron: it is no field of a process; write it inside schedule"),
    ] {
        refused(line, expected);
    }
    let broken = report("processes: {a: {command: x, schedule: 61 * * * *}}");
    assert_eq!(broken.len(), 1);
    assert!(
        broken[0].starts_with("1:39: processes.a.schedule.cron: \"61 * * * *\" is no cron expression"),
        "{broken:?}"
    );
    let nowhere = report("processes: {a: {command: x, schedule: {cron: '@daily', timezone: Mars}}}");
    assert!(nowhere[0].starts_with("1:66: processes.a.schedule.timezone: "), "{nowhere:?}");
    for policy in ["always", "{policy: always}", "unless-stopped"] {
        let faults = report(&format!("processes: {{a: {{command: x, schedule: '@daily', restart: {policy}}}}}"));
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].contains("processes.a.restart.policy: ") && faults[0].contains("does not go with schedule"),
            "{faults:?}"
        );
    }
}

#[test]
fn wrong_dependencies_are_named_with_what_to_write() {
    for (line, expected) in [
        ("depends_on: 5", "17: depends_on: it is the number 5; write a text, in quotes: \"5\""),
        (
            "depends_on: [b/c]",
            "18: depends_on[0]: \"b/c\" is no valid name: it contains a character that is not allowed; use 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
        ),
        ("depends_on: [a]", "18: depends_on.a: it depends on itself; leave it out"),
        ("depends_on: [b, b]", "21: depends_on.b: b is given twice; keep one"),
        ("depends_on: {b: service_healthy}", "21: depends_on.b: it is the text \"service_healthy\"; write ready"),
        (
            "depends_on: {b: {condition: process_completed_successfully}}",
            "33: depends_on.b.condition: it is the text \"process_completed_successfully\"; write completed_ok",
        ),
        ("depends_on: {b: service_started}", "21: depends_on.b: it is the text \"service_started\"; write started"),
        (
            "depends_on: {b: process_log_ready}",
            "21: depends_on.b: it is the text \"process_log_ready\"; write {log: PATTERN}",
        ),
        ("depends_on: {b: redy}", "21: depends_on.b: it is the text \"redy\"; did you mean ready?"),
        (
            "depends_on: {b: later}",
            "21: depends_on.b: it is the text \"later\"; write started, ready, completed, completed_ok",
        ),
        ("depends_on: {b: {}}", "18: depends_on.b: it has no condition; write {condition: ready}, or {log: PATTERN}"),
        (
            "depends_on: {b: {condition: ready, log: x}}",
            "40: depends_on.b.log: it is given beside condition; keep one of the two",
        ),
        (
            "depends_on: {b: {log: '['}}",
            "27: depends_on.b.log: it is no regular expression: unclosed character class; write one as the Rust crate regex reads it, as \"error: .*\"",
        ),
    ] {
        refused(line, expected);
    }
}

#[test]
fn a_circle_of_dependencies_is_a_fault_where_it_closes() {
    let text = "processes:
  a: {command: x, depends_on: b}
  b: {command: x, depends_on: {c: started}}
  c: {command: x, depends_on: [d, a]}
  d: {command: x}
";
    assert_eq!(
        report(text),
        ["4:35: processes.c.depends_on.a: it goes round in a circle: a → b → c → a; leave one of them out"]
    );
    let list = "processes:\n- {name: a, command: x, depends_on: b}\n- {name: b, command: x, depends_on: a}\n";
    assert_eq!(
        report(list),
        ["3:37: processes.b.depends_on.a: it goes round in a circle: a → b → a; leave one of them out"]
    );
    // A diamond is none.
    let diamond = "processes: {a: {command: x, depends_on: [b, c]}, b: {command: x, depends_on: d}, c: {command: x, depends_on: d}, d: {command: x}}";
    assert!(document::read("f", Path::new("/"), diamond.as_bytes()).is_ok());
}

#[test]
fn a_chain_as_long_as_the_file_is_walked_without_recursion() {
    let link = |n: usize| format!(" p{n}: {{command: x, depends_on: p{}}}\n", n + 1);
    let chain: String = (0..20_000).map(link).collect();
    let text = format!("processes:\n{chain} p20000: {{command: x, depends_on: p0}}\n");
    let faults = report(&text);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].contains("p0 → p1 → p2") && faults[0].contains("→ …") && faults[0].len() < 300, "{faults:?}");
}

#[test]
fn the_patterns_of_a_file_are_bounded_together() {
    let rule = |n: usize| format!("{{name: r{n}, pattern: x}}");
    let rules: Vec<String> = (0..250).map(rule).collect();
    let process = |n: usize| format!("  p{n}: {{command: x, log_rules: [{}]}}\n", rules.join(", "));
    let text = format!("processes:\n{}", (0..5).map(process).collect::<String>());
    assert_eq!(
        report(&text),
        [
            "1:1: processes: they have 1250 regular expressions; write at most 1000 in one file; split it into several files"
        ]
    );
}

#[test]
fn files_of_all_processes_are_bounded_by_their_copies() {
    let files: Vec<String> = (0..100).map(|n| format!("/{}{n}", "x".repeat(1000))).collect();
    let processes: String = (0..1000).map(|n| format!("  p{n}: {{command: x}}\n")).collect();
    let text = format!("env_files: [{}]\nprocesses:\n{processes}", files.join(", "));
    let faults = report(&text);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("1:1: env_files: copied into 1000 processes it has "), "{faults:?}");
}

#[test]
fn wrong_placements_are_named_with_what_to_write() {
    const FORM: &str =
        "write ATTRIBUTE, one of =, !=, in, not in, regexp, version, and a value, as \"zone in eu-1, eu-2\"";
    for (line, expected) in [
        (
            "placement: {constraints: [zone = eu, zone eu]}",
            format!("42: placement.constraints[1]: \"zone eu\" is no constraint; {FORM}"),
        ),
        (
            "placement: {constraints: node.zone = eu}",
            "30: placement.constraints: node.zone is no attribute of a node; write a label, or one of node.name, node.cpus, node.memory, node.arch, node.os, node.kernel, node.runner_version".to_owned(),
        ),
        (
            "placement: {constraints: n regexp (}",
            "30: placement.constraints: it is no regular expression: unclosed group; write one as the Rust crate regex reads it".to_owned(),
        ),
        (
            "placement: {constraints: k version >= new}",
            "30: placement.constraints: \">= new\" is no version; write bounds as \">= 5.15, < 6\"".to_owned(),
        ),
        (
            "placement: {strategy: packed}",
            "27: placement.strategy: it is the text \"packed\"; write spread, bin-pack".to_owned(),
        ),
        (
            "placement: {apart_from: a}",
            "29: placement.apart_from[0]: it is this process; write placement.max_per_node: 1".to_owned(),
        ),
        (
            "placement: {daemon: true, replace_after: 5m}",
            "46: placement.replace_after: a daemon stays with its node; leave it out, or daemon".to_owned(),
        ),
        ("replace_after: 5m", "5: replace_after: it is no field of a process; write it inside placement".to_owned()),
    ] {
        refused(line, &expected);
    }
    let two = report("processes: {a: {command: x, instances: 2, placement: {daemon: true}}}");
    assert_eq!(
        two,
        ["1:40: processes.a.instances: there is one instance on each node, not 2; leave it out, or placement.daemon"]
    );
    let early = report("processes: {a: {command: x, singleton: true, placement: {replace_after: 10s}}}");
    assert_eq!(
        early,
        [
            "1:73: processes.a.placement.replace_after: 10s is before its copy has ended for sure; write at least 40s (lease, stop and margin), or leave it out"
        ]
    );
}

#[test]
fn wrong_updates_and_singletons_are_named_with_what_to_write() {
    const SHARE: &str = "write a number of instances, or a share as \"25%\"";
    for (line, expected) in [
        ("update: {max_surge: many}", format!("25: update.max_surge: it is the text \"many\"; {SHARE}")),
        ("update: {max_surge: 101%}", "25: update.max_surge: 101% is out of range; write 0% to 100%".to_owned()),
        ("update: {max_surge: -1}", "25: update.max_surge: -1 is out of range; write 0 to 10000".to_owned()),
        (
            "update: {max_unavailable: 0}",
            "31: update.max_unavailable: none may stop serving, so none could change; write max_surge: 1, so that another serves meanwhile".to_owned(),
        ),
        (
            "update: {min_ready: 5m, progress_deadline: 5m}",
            "48: update.progress_deadline: 5m is not above min_ready; write more than 5m".to_owned(),
        ),
        ("singleton: maybe", "16: singleton: it is the text \"maybe\"; write true or false".to_owned()),
        ("singleton: [1]", "16: singleton: it is a list; write true, false, or a map of lease".to_owned()),
        (
            "singleton: {lease: 1s}",
            "24: singleton.lease: 1s is out of range; write 5s to 1day (5 to 86400 seconds)".to_owned(),
        ),
    ] {
        refused(line, &expected);
    }
    let two = report("processes: {a: {command: x, instances: 2, singleton: true}}");
    assert_eq!(two, ["1:54: processes.a.singleton: there are 2 instances; write instances: 1"]);
}
