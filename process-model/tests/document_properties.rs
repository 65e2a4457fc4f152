//! Whatever is read: a valid document or at least one fault, never a panic;
//! and what is valid reads back as it was written.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

use process_model::ProcessSpec;
use process_model::document::{self, Document, DocumentFault};
use process_model::spec::{
    Backoff, Check, Command, LogWatchdog, Probe, RestartMode, RestartPolicy, RuntimeType, Signal, StopPolicy,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const SEEDS: [&str; 4] = [
    include_str!("fixtures/monitor_config.yaml"),
    include_str!("fixtures/monitor_cluster.yaml"),
    include_str!("../../examples/quickstart.yaml"),
    r#"{"version":1,"env":{"A":"\u00e9"},"processes":{"a":{"command":["x",1],"ports":[80],"restart":{"policy":"never"},"readiness":{"tcp":{"port":"port"}},"stop":{"signal":"INT","timeout":"1m 30s"}}}}"#,
];

fn read(text: &[u8]) -> Result<Document, Vec<DocumentFault>> {
    document::read("f", Path::new("/base"), text)
}

/// The promise for any input.
fn assert_sound(text: &[u8]) {
    match read(text) {
        Ok(document) => {
            for spec in &document.processes {
                assert_eq!(spec.check(), [], "{spec:?}");
            }
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            assert!(faults.iter().all(|fault| fault.line > 0 && fault.column > 0 && !fault.fault.field.is_empty()));
            assert!(faults.is_sorted_by_key(|fault| (fault.line, fault.column)));
            assert!(faults.iter().all(|fault| !fault.to_string().contains(|c: char| c.is_control())), "{faults:?}");
        }
    }
}

/// A cut of one place of a text and what is put there.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[-:{}\\[\\],&*!|>'\"%@`#?~ \t\n0-9a-z]{0,4}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..3),
        Just(b"\n  ".to_vec()),
        Just(b"&a ".to_vec()),
        Just(b"*a".to_vec()),
        Just(b"null".to_vec()),
        Just(b"-1e999".to_vec()),
    ];
    let change = (any::<prop::sample::Index>(), 0usize..6, piece);
    (0..SEEDS.len(), vec(change, 1..6)).prop_map(|(seed, changes)| {
        let mut text = SEEDS[seed].as_bytes().to_vec();
        for (at, cut, piece) in changes {
            let start = at.index(text.len() + 1);
            let end = (start + cut).min(text.len());
            text.splice(start..end, piece);
        }
        text
    })
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9._-]{0,10}"
}

fn text() -> impl Strategy<Value = String> {
    // Anything but NUL, which no argument of a program can hold.
    "[^\0]{1,20}".prop_filter("blank", |text| !text.trim().is_empty())
}

fn millis(from: u64, to: u64) -> impl Strategy<Value = Duration> {
    (from..=to).prop_map(Duration::from_millis)
}

fn command() -> impl Strategy<Value = (Command, RuntimeType)> {
    let extra = prop::sample::select(vec![None, Some("python"), Some("my.type-2")]);
    prop_oneof![
        text().prop_map(|line| (Command::Shell(line), RuntimeType::shell())),
        (text(), vec("[^\0]{0,9}", 0..4)).prop_map(|(program, mut args)| {
            args.insert(0, program);
            (Command::Argv(args), RuntimeType::exec())
        }),
    ]
    .prop_flat_map(move |(command, own)| {
        let own = own.clone();
        extra.clone().prop_map(move |kind| (command.clone(), kind.map_or_else(|| own.clone(), |k| k.parse().unwrap())))
    })
}

fn probe() -> impl Strategy<Value = Probe> {
    let check = prop_oneof![
        (1..=u16::MAX, "/[a-z0-9/?=]{0,9}").prop_map(|(port, path)| Check::Http { port, path }),
        (1..=u16::MAX).prop_map(|port| Check::Tcp { port }),
    ];
    (check, millis(0, 3_600_000), millis(10, 3_600_000), millis(1, 600_000), 1u32..=1000).prop_map(
        |(check, initial_delay, interval, timeout, failure_threshold)| Probe {
            check,
            initial_delay,
            interval,
            timeout,
            failure_threshold,
        },
    )
}

fn restart() -> impl Strategy<Value = RestartPolicy> {
    let mode = prop::sample::select(RestartMode::ALL.to_vec());
    let delays = (millis(0, 86_400_000), millis(0, 86_400_000), 1.0f64..=100.0, 0.0f64..=1.0);
    (mode, delays, 0u32..=1_000_000, millis(1000, 86_400_000)).prop_map(
        |(mode, (one, other, factor, jitter), max_restarts, reset_after)| RestartPolicy {
            mode,
            backoff: Backoff { initial: one.min(other), max: one.max(other), factor, jitter },
            max_restarts,
            reset_after,
        },
    )
}

fn spec() -> impl Strategy<Value = ProcessSpec> {
    let path = || prop::option::of("/[^\0]{0,20}");
    let stop = (1i32..=31, millis(0, 3_600_000), millis(0, 3_600_000));
    let watchdog = (path(), millis(1000, 3_600_000), millis(1000, 300_000));
    let env = btree_map("[A-OQ-Za-z_][A-Za-z0-9_.]{0,8}", "[^\0]{0,20}", 0..4);
    let (first, second) = (
        (name(), command(), path(), env, prop::option::of("[a-z_][a-z0-9_-]{0,9}"), 0u32..=10_000),
        (btree_map(name(), 1..=u16::MAX, 0..4), restart(), stop, prop::option::of(probe()), path()),
    );
    (first, second, prop::option::of(watchdog), btree_map(text(), text(), 0..3), any::<bool>()).prop_map(
        |((name, (command, runtime), working_dir, env, user, instances), second, watchdog, labels, autostart)| {
            let (ports, restart, (signal, timeout, kill_timeout), readiness, log_file) = second;
            let instances = if log_file.is_some() { instances.min(1) } else { instances };
            ProcessSpec {
                runtime,
                working_dir,
                env,
                user,
                instances,
                ports,
                restart,
                stop: StopPolicy { signal: Signal::from_number(signal).unwrap(), timeout, kill_timeout },
                readiness,
                log_watchdog: watchdog.map(|(file, timeout, interval)| LogWatchdog {
                    log_file: file.or_else(|| log_file.clone()),
                    timeout,
                    interval,
                }),
                log_file,
                labels,
                autostart,
                ..ProcessSpec::new(name.parse().unwrap(), command)
            }
        },
    )
}

/// The spec as a user would write it.
fn written(spec: &ProcessSpec) -> Value {
    let time = |duration: &Duration| json!(humantime::format_duration(*duration).to_string());
    let command = match &spec.command {
        Command::Shell(line) => json!(line),
        Command::Argv(args) => json!(args),
    };
    json!({
        "command": command,
        "type": spec.runtime.as_str(),
        "working_dir": spec.working_dir,
        "env": spec.env,
        "user": spec.user,
        "instances": spec.instances,
        "ports": spec.ports,
        "restart": {
            "policy": spec.restart.mode.as_str(),
            "backoff": {
                "initial": time(&spec.restart.backoff.initial),
                "factor": spec.restart.backoff.factor,
                "max": time(&spec.restart.backoff.max),
                "jitter": spec.restart.backoff.jitter,
            },
            "max_restarts": spec.restart.max_restarts,
            "reset_after": spec.restart.reset_after.as_secs_f64(),
        },
        "stop": {
            "signal": spec.stop.signal.to_string(),
            "timeout": time(&spec.stop.timeout),
            "kill_timeout": spec.stop.kill_timeout.as_secs_f64(),
        },
        "readiness": spec.readiness.as_ref().map(|probe| {
            let mut map = json!({
                "initial_delay": time(&probe.initial_delay),
                "interval": time(&probe.interval),
                "timeout": time(&probe.timeout),
                "failure_threshold": probe.failure_threshold,
            });
            match &probe.check {
                Check::Http { port, path } => map["http"] = json!({ "port": port, "path": path }),
                Check::Tcp { port } => map["tcp"] = json!({ "port": port }),
            }
            map
        }),
        "log_file": spec.log_file,
        "log_watchdog": spec.log_watchdog.as_ref().map(|watchdog| json!({
            "log_file": watchdog.log_file,
            "timeout": time(&watchdog.timeout),
            "interval": time(&watchdog.interval),
        })),
        "labels": spec.labels,
        "autostart": spec.autostart,
    })
}

/// The few characters that JSON allows in a string as they are, and YAML only
/// escaped.
fn escaped(text: &str) -> String {
    let refused = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let one = |c: char| if refused(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(text in vec(any::<u8>(), 0..200)) {
        assert_sound(&text);
    }

    #[test]
    fn arbitrary_yaml_like_text_never_panics(text in "([-:{}\\[\\],&*!|>'\"%@`#?~ \t\n]|processes|command|name|a|1|: |\n  ){0,60}") {
        assert_sound(text.as_bytes());
    }

    #[test]
    fn mutated_documents_never_panic(text in mutated()) {
        assert_sound(&text);
    }

    #[test]
    fn valid_specs_read_back(mut spec in spec(), listed in any::<bool>()) {
        prop_assume!(spec.check().is_empty());
        let mut fields = written(&spec);
        // Left out, it is the folder of the file.
        spec.working_dir.get_or_insert_with(|| "/base".to_owned());
        let document = if listed && (spec.log_watchdog.is_some() || spec.log_file.is_none()) {
            fields["name"] = json!(spec.name.as_str());
            // The list form's short way to a watchdog is its own test.
            json!({ "processes": [fields] })
        } else {
            json!({ "processes": { spec.name.as_str(): fields } })
        };
        for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
            let text = escaped(&text);
            match read(text.as_bytes()) {
                Ok(read) => prop_assert_eq!(&read.processes, &vec![spec.clone()], "{}", text),
                Err(faults) => prop_assert!(false, "{}\n{}", text, faults[0]),
            }
        }
    }
}
