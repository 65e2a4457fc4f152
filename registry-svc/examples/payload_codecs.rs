//! Which form a command has in the log: size and speed of three codecs on
//! commands as they are. `cargo run --release -p registry-svc --example
//! payload_codecs`; the choice and its rules stand in `machine::payload`.

// An example ends where it cannot go on.
#![allow(clippy::unwrap_used)]

use process_model::spec::Command as Program;
use process_model::{ActionVerb, InstanceReport, Phase, ProcessSpec, Timestamp, event_type};
use registry_domain::{Apply, Command, Header, Order, Report, Switch};
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 20_000;

fn command(order: Order) -> Command {
    let request_id = "0190a5b0-0000-7000-8000-000000000001".to_owned();
    let (actor, time) = ("admin".to_owned(), Timestamp(1_700_000_000_987_654_321));
    Command {
        header: Header { actor, request_id, fingerprint: 0xfedc_ba98_7654_3210, time, ..Header::default() },
        order,
    }
}

fn an_apply(text: usize) -> Command {
    let mut spec = ProcessSpec::new("web-shop".parse().unwrap(), Program::Shell("exec ./serve --port 8080".into()));
    spec.env.insert("DATA".into(), "x".repeat(text));
    command(Order::Apply(Apply { specs: vec![spec.into()], ..Apply::default() }))
}

fn a_report(instances: u32) -> Command {
    let report = |n: u32| InstanceReport {
        instance: format!("web-shop-{}", n + 1).parse().unwrap(),
        seq: 3,
        generation: 1,
        event_type: event_type::INSTANCE_STARTED.into(),
        time: Timestamp(1_700_000_000_987_654_321),
        phase: Phase::Running,
        ready: true,
        pid: 4242,
        restarts: 0,
        last_exit: None,
        started: Some(Timestamp(1_700_000_000_987_654_321)),
        message: "started".into(),
        next_restart: None,
        gone: false,
        containment: "cgroup".into(),
        status: String::new(),
        log_lines: vec![],
    };
    let instances = (0..instances).map(report).collect();
    let node = "node-0001".parse().unwrap();
    command(Order::Report(Report { node, boot_id: "b".repeat(36), seq: 9, instances, actions: vec![] }))
}

fn each(work: impl Fn()) -> Duration {
    let began = Instant::now();
    (0..ROUNDS).for_each(|_| work());
    began.elapsed() / ROUNDS
}

fn main() {
    let switch = Switch {
        verb: ActionVerb::Restart,
        selectors: vec!["web-shop".into()],
        stop_timeout: None,
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
    };
    let samples = [
        ("apply, 200 bytes of text", an_apply(200)),
        ("report, 1 instance", a_report(1)),
        ("report, 50 instances", a_report(50)),
        ("restart", command(Order::Switch(switch))),
    ];
    println!("{:26} {:12} {:>7} {:>12} {:>12}", "command", "codec", "bytes", "encode", "decode");
    for (what, command) in &samples {
        let named = rmp_serde::to_vec_named(command).unwrap();
        let positional = rmp_serde::to_vec(command).unwrap();
        let compact = postcard::to_stdvec(command).unwrap();
        let row = |codec: &str, bytes: usize, encode: Duration, decode: Duration| {
            println!("{what:26} {codec:12} {bytes:>7} {encode:>12.2?} {decode:>12.2?}");
        };
        row(
            "named",
            named.len(),
            each(|| drop(black_box(rmp_serde::to_vec_named(black_box(command)).unwrap()))),
            each(|| drop(black_box(rmp_serde::from_slice::<Command>(black_box(&named)).unwrap()))),
        );
        row(
            "positional",
            positional.len(),
            each(|| drop(black_box(rmp_serde::to_vec(black_box(command)).unwrap()))),
            each(|| drop(black_box(rmp_serde::from_slice::<Command>(black_box(&positional)).unwrap()))),
        );
        row(
            "postcard",
            compact.len(),
            each(|| drop(black_box(postcard::to_stdvec(black_box(command)).unwrap()))),
            each(|| drop(black_box(postcard::from_bytes::<Command>(black_box(&compact)).unwrap()))),
        );
    }
}
