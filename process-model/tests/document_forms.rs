//! Valid process files and what they mean.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

use process_model::document::{self, Document};
use process_model::spec::{
    Backoff, Check, Command, ExitCodes, HttpCheck, LogWatchdog, Probe, RestartLimit, RestartMode, RestartPolicy,
    Signal, StopPolicy,
};
use process_model::{ProcessSpec, spec::limits::default};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

fn read(text: &str) -> Document {
    document::read("f.yaml", Path::new("/base/dir"), text.as_bytes()).unwrap_or_else(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

fn process(text: &str) -> ProcessSpec {
    let document = read(&format!("processes: {{p: {text}}}"));
    assert_eq!(document.warnings, []);
    document.processes.into_iter().next().unwrap()
}

/// Without a word about it, a program runs in the folder of the file.
fn beside_the_file(spec: ProcessSpec) -> ProcessSpec {
    ProcessSpec { working_dir: Some("/base/dir".to_owned()), ..spec }
}

fn watched(name: &str, command: &str, file: &str, timeout: u64, interval: u64) -> ProcessSpec {
    ProcessSpec {
        log_file: Some(file.to_owned()),
        log_watchdog: Some(LogWatchdog {
            log_file: Some(file.to_owned()),
            timeout: Duration::from_secs(timeout),
            interval: Duration::from_secs(interval),
        }),
        ..beside_the_file(ProcessSpec::new(name.parse().unwrap(), Command::Shell(command.to_owned())))
    }
}

#[test]
fn the_watchers_configuration_is_taken_unchanged() {
    let document = read(include_str!("fixtures/monitor_config.yaml"));
    assert_eq!(document.warnings, []);
    assert_eq!(
        document.processes,
        [
            watched("WebServer", "python3 -m http.server 8080", "/tmp/webserver.log", 60, 5),
            watched("Database", "mysqld --defaults-file=/etc/mysql/my.cnf", "/var/log/mysql/error.log", 120, 10),
            watched("Worker", "python3 worker.py >> /tmp/worker.log 2>&1", "/tmp/worker.log", 180, 15),
        ]
    );
    assert_eq!(document.processes[0].restart.mode, RestartMode::Always);
    let cluster = read(include_str!("fixtures/monitor_cluster.yaml"));
    assert_eq!(
        cluster.processes,
        [
            watched("web-1", "python3 app.py --port 8001", "/var/log/web-1.log", 30, 5),
            watched("web-2", "python3 app.py --port 8002", "/var/log/web-2.log", 30, 5),
            watched("worker", "python3 worker.py", "/var/log/worker.log", 120, 10),
        ]
    );
}

#[test]
fn a_list_entry_has_default_times_and_may_use_every_field() {
    let document = read(
        "processes:\n- {name: a, command: x, log_file: l}\n- {name: b, command: [x], instances: 2, restart: never}\n- {name: c, command: x, timeout: 30}\n",
    );
    assert_eq!(document.processes[0], watched("a", "x", "/base/dir/l", 60, 5));
    assert_eq!((document.processes[1].instances, document.processes[1].log_watchdog.clone()), (2, None));
    assert_eq!(document.processes[1].restart.mode, RestartMode::Never);
    let own_output = LogWatchdog { timeout: Duration::from_secs(30), ..LogWatchdog::new(None) };
    assert_eq!(document.processes[2].log_watchdog, Some(own_output));
}

#[test]
fn every_field_of_the_map_form_is_read() {
    let document = read(
        r#"
version: 1
env: {TZ: UTC, LEVEL: info}
processes:
  web:
    command: [python3, -m, http.server, 8080]
    type: python
    working_dir: app
    env: {LEVEL: debug, WORKERS: 4, FAST: true, RATE: 1.50, COUNTRY: no, EMPTY: "", GONE: ~}
    user: 1000
    instances: 3
    ports: {http: 8080, metrics: 9100}
    restart:
      policy: on-failure
      backoff: {initial: 500ms, factor: 1.5, max: 1m 30s, jitter: 0}
      max_restarts: 10
      reset_after: 300
      limit: {restarts: 5, within: 10m}
      success_codes: [2, 143]
      never_restart_codes: 78
      max_memory: 512M
      max_runtime: 1day
    stop: {signal: int, timeout: 0.5, kill_timeout: 1s}
    readiness:
      http:
        port: http
        path: /health
        method: POST
        headers: {X-N: 1, Host: shop}
        status: ["200-299", 404]
        body: up
      initial_delay: 1
      interval: 250ms
      timeout: 2s
      failure_threshold: 5
      success_threshold: 2
    log_watchdog: {log_file: ./logs/web.log, timeout: 2m, interval: 10}
    labels: {team: shop, tier: 1}
    autostart: false
"#,
    );
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let expected = ProcessSpec {
        name: "web".parse().unwrap(),
        command: Command::Argv(["python3", "-m", "http.server", "8080"].map(str::to_owned).to_vec()),
        runtime: "python".parse().unwrap(),
        working_dir: Some("/base/dir/app".to_owned()),
        env: map(&[
            ("TZ", "UTC"),
            ("LEVEL", "debug"),
            ("WORKERS", "4"),
            ("FAST", "true"),
            ("RATE", "1.50"),
            ("COUNTRY", "no"),
            ("EMPTY", ""),
        ]),
        user: Some("1000".to_owned()),
        instances: 3,
        ports: [("http".to_owned(), 8080), ("metrics".to_owned(), 9100)].into(),
        restart: RestartPolicy {
            mode: RestartMode::OnFailure,
            backoff: Backoff {
                initial: Duration::from_millis(500),
                factor: 1.5,
                max: Duration::from_secs(90),
                jitter: 0.0,
            },
            max_restarts: 10,
            reset_after: Duration::from_secs(300),
            limit: Some(RestartLimit { restarts: 5, within: Duration::from_secs(600) }),
            codes: ExitCodes { success: vec![2, 143], never_restart: vec![78], always_restart: Vec::new() },
            max_memory: Some(512 << 20),
            max_runtime: Some(Duration::from_secs(86_400)),
        },
        stop: StopPolicy {
            signal: Signal::INT,
            timeout: Duration::from_millis(500),
            kill_timeout: Duration::from_secs(1),
            steps: Vec::new(),
        },
        readiness: Some(Probe {
            check: Check::Http(HttpCheck {
                method: Some("POST".to_owned()),
                headers: vec![("Host".to_owned(), "shop".to_owned()), ("X-N".to_owned(), "1".to_owned())],
                status: vec![(200, 299), (404, 404)],
                body: Some("up".to_owned()),
                ..HttpCheck::get(8080, "/health")
            }),
            initial_delay: Duration::from_secs(1),
            interval: Duration::from_millis(250),
            timeout: Duration::from_secs(2),
            failure_threshold: 5,
            success_threshold: 2,
        }),
        log_file: None,
        log_watchdog: Some(LogWatchdog {
            log_file: Some("/base/dir/logs/web.log".to_owned()),
            timeout: Duration::from_secs(120),
            interval: Duration::from_secs(10),
        }),
        labels: map(&[("team", "shop"), ("tier", "1")]),
        autostart: false,
        ..ProcessSpec::new("web".parse().unwrap(), Command::Shell(String::new()))
    };
    assert_eq!(document.processes, [expected]);
}

#[test]
fn what_is_left_out_or_null_has_the_default() {
    let plain = beside_the_file(ProcessSpec::new("p".parse().unwrap(), Command::Shell("x".to_owned())));
    assert_eq!(process("{command: x}"), plain);
    let nulls = "{command: x, type: ~, working_dir: null, env: , user: ~, instances: ~, ports: ~, restart: ~, stop: {signal: ~, timeout: ~}, readiness: ~, log_file: ~, log_watchdog: ~, labels: ~, autostart: ~}";
    assert_eq!(process(nulls), plain);
    let probe = process("{command: x, readiness: {tcp: {port: 5}}}").readiness.unwrap();
    assert_eq!(probe, Probe::new(Check::Tcp { port: 5 }));
    let http = process("{command: x, readiness: {http: {port: 5}}}").readiness.unwrap();
    assert_eq!(http.check, Check::Http(HttpCheck::get(5, "/")));
    assert_eq!(http.interval, default::PROBE_INTERVAL);
}

#[test]
fn a_list_of_ports_gets_names() {
    let spec = process("{command: x, ports: [80, 443, 8080], readiness: {tcp: {port: port-2}}}");
    let expected = [("port", 80), ("port-2", 443), ("port-3", 8080)];
    assert_eq!(spec.ports, expected.map(|(name, port)| (name.to_owned(), port)).into());
    assert_eq!(spec.readiness, Some(Probe::new(Check::Tcp { port: 443 })));
}

#[test]
fn paths_start_from_the_folder_of_the_file() {
    let spec = process("{command: x, working_dir: ../up, log_file: ./logs/./p.log, log_watchdog: {}}");
    assert_eq!(spec.working_dir.as_deref(), Some("/base/dir/../up"));
    assert_eq!(spec.log_file.as_deref(), Some("/base/dir/logs/p.log"));
    assert_eq!(spec.log_watchdog, Some(LogWatchdog::new(spec.log_file.clone())));
    assert_eq!(process("{command: x, log_file: /var/log/p.log}").log_file.as_deref(), Some("/var/log/p.log"));
}

#[test]
fn a_word_means_what_the_field_expects() {
    assert_eq!(process("{command: 'no'}").command, Command::Shell("no".to_owned()));
    assert_eq!(process("{command: no}").command, Command::Shell("no".to_owned()));
    assert_eq!(process("{command: !!str 5}").command, Command::Shell("5".to_owned()));
    assert_eq!(
        process("{command: [sleep, 5, true]}").command,
        Command::Argv(["sleep", "5", "true"].map(str::to_owned).into())
    );
    assert_eq!(process("{command: x, stop: {signal: 9}}").stop.signal, Signal::KILL);
    assert_eq!(process("{command: x, restart: never}").restart.mode, RestartMode::Never);
}

#[test]
fn aliases_stand_for_their_values() {
    let document = read("processes:\n  a:\n    command: &c [x, y]\n    env: &e {A: 1}\n  b: {command: *c, env: *e}\n");
    assert_eq!(document.processes[0].command, document.processes[1].command);
    assert_eq!(document.processes[0].env, document.processes[1].env);
}

#[test]
fn json_is_read_with_its_escapes_and_with_tabs() {
    let json = "{\n\t\"processes\": {\n\t\t\"web\": {\n\t\t\t\"command\": \"a\\u00e9\\n\\t\\/\\ud834\\udd1e\\\"\\\\\",\n\t\t\t\"env\": {\"A\": 1.50, \"B\": true, \"C\": null},\n\t\t\t\"restart\": {\"max_restarts\":3}\n\t\t}\n\t}\n}\n";
    let document = read(json);
    let spec = &document.processes[0];
    assert_eq!(spec.command, Command::Shell("aé\n\t/\u{1d11e}\"\\".to_owned()));
    assert_eq!(spec.env.get("A").map(String::as_str), Some("1.50"));
    assert_eq!((spec.env.len(), spec.restart.max_restarts), (2, 3));
    let list = read(r#"{"processes":[{"name":"a","command":["x"],"log_file":"/l","timeout":1,"interval":1}]}"#);
    assert_eq!(list.processes[0].log_watchdog.as_ref().map(|w| w.timeout), Some(Duration::from_secs(1)));
}

#[test]
fn line_ends_marks_and_comments_do_not_matter() {
    let plain = read("processes:\n  a:\n    command: x\n").processes;
    for text in [
        "\u{feff}processes:\n  a:\n    command: x\n",
        "processes:\r\n  a:\r\n    command: x\r\n",
        "# top\n---\nprocesses: # here\n  a:\n    # there\n    command: x # and there\n...\n",
    ] {
        assert_eq!(read(text).processes, plain, "{text:?}");
    }
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let late = read("processes: {a: {command: x, log_watchdog: {timeout: 3, interval: 5s}}}");
    let late: Vec<String> = late.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        late,
        [
            "f.yaml:1:66: processes.a.log_watchdog.interval: 5s is longer than the timeout of 3s; write less than the timeout, or silence is noticed late"
        ]
    );
    let typo = read("processes: {a: {command: [x], type: pyton}, b: {command: [x], type: mine}}");
    let typo: Vec<String> = typo.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        typo,
        [
            "f.yaml:1:37: processes.a.type: pyton is no built-in type; a node without a definition of its own refuses to start it; did you mean python?"
        ]
    );
    let none = read("processes: {}");
    assert_eq!(none.processes, []);
    assert_eq!(
        none.warnings[0].to_string(),
        "f.yaml:1:12: processes: it is empty; write a process, unless none is to be defined"
    );
}
