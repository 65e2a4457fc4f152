//! What one committed change costs every replica: reading it from the log and
//! deciding it, with the records that it leaves (history, audit, events).
//! `cargo run --release -p registry-svc --example apply_cost`.

// An example ends where it cannot go on.
#![allow(clippy::unwrap_used)]

use process_model::ProcessSpec;
use process_model::Timestamp;
use process_model::spec::Command as Program;
use registry_domain::{Apply, Command, Header, Order, State, step};
use registry_svc::machine::payload;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Processes that are changed in turns.
const NAMES: u64 = 1_000;
/// Commands in one entry of the log.
const BATCH: u64 = 32;
/// Enough that every record drops its oldest for each new one.
const BEFORE: u64 = 130_000;
const ROUNDS: usize = 300;

fn command(number: u64) -> Command {
    let name = format!("bench-{:04}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % NAMES);
    let mut spec = ProcessSpec::new(name.parse().unwrap(), Program::Argv(vec!["bench".to_owned()]));
    spec.instances = 0;
    spec.env.insert("VALUE".to_owned(), format!("{number:0200}"));
    let time = Timestamp(1_700_000_000_000_000_000 + i64::try_from(number).unwrap() * 100_000);
    let request_id = format!("0190a5b0-0000-7000-8000-{number:012}");
    let header = Header { actor: "admin".to_owned(), request_id, fingerprint: number, time, ..Header::default() };
    Command { header, order: Order::Apply(Apply { specs: vec![spec.into()], ..Apply::default() }) }
}

fn main() {
    let mut state = State::default();
    (0..BEFORE).for_each(|number| drop(step(&mut state, command(number))));
    let (mut encode, mut decode, mut decide) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let begin = BEFORE + round as u64 * BATCH;
        let commands: Vec<Command> = (begin..begin + BATCH).map(command).collect();
        let began = Instant::now();
        let written = payload::encode(black_box(&commands)).unwrap();
        encode.push(began.elapsed());
        let began = Instant::now();
        let read = payload::decode(black_box(&written)).unwrap();
        decode.push(began.elapsed());
        let began = Instant::now();
        read.into_iter().for_each(|command| drop(black_box(step(&mut state, command))));
        decide.push(began.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[ROUNDS / 2] / u32::try_from(BATCH).unwrap()
    };
    println!("medians of one change of one process, {BATCH} in an entry:");
    for (what, mut times) in [("encode", encode), ("decode", decode), ("decide", decide)] {
        println!("  {what:8} {:>8.2?}", median(&mut times));
    }
}
