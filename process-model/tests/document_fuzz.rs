//! Whatever is read: a valid document or at least one fault, never a panic, in
//! bounded time, and every fault at a place that is in the file.
//!
//! Inputs are arbitrary bytes, texts of YAML's own characters, and valid
//! documents with every field, cut and spliced. A run is repeatable: the seed
//! is fixed unless `PROPTEST_RNG_SEED` says otherwise.
//!
//! A longer run, as before a release (about an hour; other inputs each time):
//!
//! ```text
//! PM_FUZZ_CASES=2000000 PROPTEST_RNG_SEED=$RANDOM \
//!     cargo test --release -p process-model --test document_fuzz
//! ```
//!
//! An input that was found goes into `FOUND`, with its name, for ever.

// A test's own functions panic as the test does; and JSON has few kinds of values.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod support;

use process_model::document;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngAlgorithm, RngSeed};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
use support::specs::spec;
use support::written::written;

/// Cases of each test in an ordinary run.
const CASES: u32 = 512;
/// No file of the size of these inputs may take longer, in a debug build on a
/// loaded machine.
const LONGEST: Duration = Duration::from_secs(10);

const SEEDS: [&str; 7] = [
    include_str!("fixtures/monitor_config.yaml"),
    include_str!("fixtures/monitor_cluster.yaml"),
    include_str!("../../examples/quickstart.yaml"),
    r#"{"version":1,"env":{"A":"\u00e9"},"processes":{"a":{"command":["x",1],"ports":[80],"restart":{"policy":"never"},"readiness":{"tcp":{"port":"port"}},"stop":{"signal":"INT","timeout":"1m 30s"}}}}"#,
    r#"processes:
  a: &a
    command: x
    env_files: [-a.env, b.env]
    umask: 027
    groups: [a, 5]
    rlimits: {nofile: {soft: 1k, hard: unlimited}, core: 0}
    cpu_affinity: [0, 2-5]
    io_priority: {class: idle, level: 3}
    sockets: {http: "[::1]:80", u: {listen: unix:/x, mode: 0600}}
    limits: {memory: 1.5GiB, cpu: 0.5}
    schedule: {cron: "*/5 * * * *", timezone: Europe/Berlin, jitter: 1m}
    restart: {policy: on-failure, success_codes: [2, 3], limit: {restarts: 5, within: 1m}}
  b: {command: [y], depends_on: {a: completed, c: {log: "^r(eady)? \\d+"}}, log_rules: [{name: r, pattern: "e[rx]+"}]}
  c: {command: z, depends_on: [d], liveness: {http: {port: 1, status: [200-299], headers: {A: b}, body: up}}}
  d: {command: z, hooks: {pre_start: x, reload: {command: [y], timeout: 5}}, watchdog: 30s, logs: {max_size: 1M, quota: 1GB}}
  e: {command: z, stop: {steps: [{wait: 1}, {run: x, timeout: 2s}, {signal: HUP, to: main, wait: 1m}]}, readiness: {notify: true}}
"#,
    "processes: {a: {command: x, depends_on: b}, b: {command: x, depends_on: {c: ready}}, c: {command: x, depends_on: [a, b, c]}}",
    "processes:\n- {name: a, command: x, log_file: l, timeout: 5, interval: 1, log_rules: [{name: a, pattern: (?i)\\pL{2,5}}]}\n- {name: a, command: [x], schedule: '@daily', exec: ~}\n",
];

/// What was found, and has to stay mended.
const FOUND: [(&str, &[u8]); 1] = [("a lone carriage return ends a line", b"\r\x80")];

fn config() -> ProptestConfig {
    let cases = std::env::var("PM_FUZZ_CASES").ok().map_or(CASES, |cases| cases.parse().unwrap());
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().map_or(20_261_121, |seed| seed.parse().unwrap());
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    }
}

/// The promise for any input.
fn assert_sound(bytes: &[u8]) {
    let begun = Instant::now();
    let read = document::read("f", Path::new("/base"), bytes);
    assert!(begun.elapsed() < LONGEST, "it took {:?}: {:?}", begun.elapsed(), String::from_utf8_lossy(bytes));
    let told = match &read {
        Ok(document) => {
            for spec in &document.processes {
                assert_eq!(spec.check(), [], "{spec:?}");
            }
            &document.warnings
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            faults
        }
    };
    assert!(told.is_sorted_by_key(|fault| (fault.line, fault.column)));
    let ends = line_ends(bytes);
    for fault in told {
        assert!(
            !fault.fault.field.is_empty() && !fault.fault.problem.is_empty() && !fault.fault.fix.is_empty(),
            "{fault}"
        );
        assert!(!fault.to_string().contains(|c: char| c.is_control()), "{fault:?}");
        assert!(fault.to_string().len() < 10_000, "{fault}");
        let inside = ends.get(fault.line.wrapping_sub(1)).is_some_and(|end| (1..=*end).contains(&fault.column));
        assert!(inside, "{fault} is not in {:?}", String::from_utf8_lossy(bytes));
    }
}

/// The last column of each line, that of its end included; and a line after
/// the last, where what is missing at the end of the file is missing.
fn line_ends(bytes: &[u8]) -> Vec<usize> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let mut ends: Vec<usize> = text.split('\n').map(|line| line.chars().count() + 1).collect();
    ends.push(1);
    ends
}

/// Cuts of some places of a text and what is put there.
fn mutations() -> impl Strategy<Value = Vec<(Index, usize, Vec<u8>)>> {
    let piece = prop_oneof![
        "[-:{}\\[\\],&*!|>'\"%@`#?~ \t\n0-9a-z]{0,4}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..3),
        prop::sample::select(vec![
            "\n  ",
            "&a ",
            "*a",
            "null",
            "-1e999",
            "{}",
            "[]",
            "[[",
            "99999999999999999999",
            "0x1f",
            "-",
            "..",
            "\u{feff}",
            "é",
            "\r\n",
            ": ",
            "- ",
            "\\",
            "(",
            "{99}",
            "!!str ",
            "? ",
            "---\n",
            "#",
            "true",
            "1.5GiB",
            "10ns",
            "unix:",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
    ];
    vec((any::<Index>(), 0usize..8, piece), 1..8)
}

fn mutated(text: &str, changes: Vec<(Index, usize, Vec<u8>)>) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, cut, piece) in changes {
        let start = at.index(bytes.len() + 1);
        let end = (start + cut).min(bytes.len());
        bytes.splice(start..end, piece);
    }
    bytes
}

#[test]
fn what_was_found_before_stays_mended() {
    for (name, bytes) in FOUND {
        println!("{name}");
        assert_sound(bytes);
    }
    SEEDS.iter().for_each(|text| assert_sound(text.as_bytes()));
}

#[test]
fn every_beginning_of_a_document_is_sound() {
    for text in SEEDS {
        for end in 0..=text.len() {
            assert_sound(&text.as_bytes()[..end]);
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn arbitrary_bytes_never_panic(text in vec(any::<u8>(), 0..200)) {
        assert_sound(&text);
    }

    #[test]
    fn arbitrary_yaml_like_text_never_panics(
        text in "([-:{}\\[\\],&*!|>'\"%@`#?~ \t\n]|processes|command|depends_on|restart|name|a|1|: |\n  ){0,60}"
    ) {
        assert_sound(text.as_bytes());
    }

    #[test]
    fn mutated_documents_never_panic(seed in 0..SEEDS.len(), changes in mutations()) {
        assert_sound(&mutated(SEEDS[seed], changes));
    }

    #[test]
    fn mutated_documents_with_every_field_never_panic(spec in spec(), changes in mutations()) {
        let document = json!({ "processes": { spec.name.as_str(): written(&spec) } });
        let text = serde_json::to_string_pretty(&document).unwrap();
        assert_sound(&mutated(&text, changes));
    }

    #[test]
    fn any_value_in_any_field_is_sound(spec in spec(), field in any::<Index>(), value in prop::sample::select(vec![
        json!(null), json!(true), json!(0), json!(-1), json!(1.5), json!(1e300), json!(u64::MAX), json!(""), json!("x"),
        json!("\n"), json!([]), json!([[]]), json!({}), json!({"": {}}), json!([null]), json!("99999999999h"),
        json!("5 000"), json!("((((((((a{9}){9}){9}){9}){9}){9}){9}){9}"), json!("1-99999"), json!("00000000000"),
    ])) {
        let mut fields = written(&spec);
        let mut number = field.index(count(&fields));
        replace(&mut fields, &mut number, &value);
        assert_sound(json!({ "processes": { spec.name.as_str(): fields } }).to_string().as_bytes());
    }
}

/// Values in a value, itself included.
fn count(value: &serde_json::Value) -> usize {
    let inner: usize = match value {
        serde_json::Value::Object(map) => map.values().map(count).sum(),
        serde_json::Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    };
    inner + 1
}

/// Puts `new` in the place of the value of this number.
fn replace(value: &mut serde_json::Value, number: &mut usize, new: &serde_json::Value) -> bool {
    if *number == 0 {
        *value = new.clone();
        return true;
    }
    *number -= 1;
    match value {
        serde_json::Value::Object(map) => map.values_mut().any(|inner| replace(inner, number, new)),
        serde_json::Value::Array(items) => items.iter_mut().any(|inner| replace(inner, number, new)),
        _ => false,
    }
}
