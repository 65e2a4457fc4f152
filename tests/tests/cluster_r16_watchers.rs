//! R16: five thousand watchers, and some that do not read. Writers do not pay
//! for them, nor does the memory.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1;
use pm_proto::v1::watch_events_response::Frame;
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use system_tests::{Lines, RegistryClient, Replicas, Sandbox, proc, until};

/// Watchers at a time; as the issue has it.
const WATCHERS: usize = 5_000;
/// Connections that carry them: a gateway's are few.
const CONNECTIONS: usize = 10;
/// Writers at a time, and writes of each.
const WRITERS: usize = 8;
const WRITES: usize = 40;
/// Writes of each while everybody watches everything: this process reads each
/// of them 5,000 times, with what the writers leave it of the processors.
const FEW: usize = 5;
/// The registry may grow so much for 5,000 watchers: 20 KiB each, most of it
/// the stream itself.
const FOR_WATCHERS: u64 = 100 << 20;
/// And for those that do not read: what their connections hold on the way,
/// however much is written meanwhile.
const FOR_STALLED: u64 = 48 << 20;

/// Writers at work; how long each write took, in order.
fn write(replicas: &Replicas, phase: &str, writes: usize) -> Vec<Duration> {
    let writers = (0..WRITERS).map(|writer| {
        let (client, phase) = (replicas.patient_client(0), phase.to_owned());
        std::thread::spawn(move || {
            let write = |n| {
                let began = Instant::now();
                client.run_program(&format!("{phase}-{writer}-{n}"), "true", 0).unwrap();
                began.elapsed()
            };
            (0..writes).map(write).collect::<Vec<_>>()
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut took: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    took.sort();
    took
}

fn tell(phase: &str, took: &[Duration]) {
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    println!("r16: {phase}: writes p50 {:?} p99 {:?} max {:?}", at(50), at(99), took[took.len() - 1]);
}

/// Opens watchers and reads them; the events that came are counted.
fn watch(replicas: &Replicas, request: impl Fn(usize) -> v1::WatchEventsRequest) -> Arc<AtomicU64> {
    let counted = Arc::new(AtomicU64::new(0));
    let clients: Vec<RegistryClient> = (0..CONNECTIONS).map(|_| replicas.patient_client(0)).collect();
    for n in 0..WATCHERS {
        let client = &clients[n % CONNECTIONS];
        let stream = client.wait(client.events().watch_events(request(n))).unwrap();
        let (mut stream, counted) = (stream.into_inner(), counted.clone());
        client.wait(async move {
            tokio::spawn(async move {
                while let Ok(Some(frame)) = stream.message().await {
                    if let Some(Frame::Event(_)) = frame.frame {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        });
    }
    counted
}

/// Memory of its own in bytes, without the pages of its program, which come and go.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

fn named(n: usize) -> v1::WatchEventsRequest {
    v1::WatchEventsRequest { selectors: vec![format!("watched-{n}")], follow: true, ..Default::default() }
}

#[test]
fn r16_five_thousand_watchers_of_names_cost_a_writer_nothing() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 1);
    tell("nobody watches", &write(&replicas, "alone", WRITES));
    let before = resident(replicas.replica(0).pid());
    let counted = watch(&replicas, named);
    let grown = resident(replicas.replica(0).pid()).saturating_sub(before);
    println!("r16: {WATCHERS} watchers take {} MiB", grown >> 20);
    assert!(grown < FOR_WATCHERS, "{grown} bytes");
    assert_eq!(replicas.replica(0).metric("pm_registry_watchers"), WATCHERS as u64);
    let woken = replicas.replica(0).metric("pm_registry_watchers_woken_total");
    tell("5,000 watch other names", &write(&replicas, "beside", WRITES));
    let woken = replicas.replica(0).metric("pm_registry_watchers_woken_total") - woken;
    assert_eq!((woken, counted.load(Ordering::Relaxed)), (0, 0), "nobody was concerned");
    replicas.client(0).run_program("watched-77", "true", 0).unwrap();
    until("the one who is concerned is told", || counted.load(Ordering::Relaxed) == 1);
    assert_eq!(replicas.replica(0).metric("pm_registry_watchers_woken_total"), 1);
}

#[test]
fn r16_five_thousand_watchers_of_everything_are_told_together() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 1);
    tell("nobody watches", &write(&replicas, "alone", FEW));
    let counted = watch(&replicas, |_| v1::WatchEventsRequest { follow: true, ..Default::default() });
    let metric = |replicas: &mut Replicas, name| replicas.replica(0).metric(name);
    let encoded = metric(&mut replicas, "pm_registry_events_encoded_total");
    let woken = metric(&mut replicas, "pm_registry_watchers_woken_total");
    tell("5,000 watch everything", &write(&replicas, "beside", FEW));
    let events = (WRITERS * FEW) as u64;
    until("everybody has seen everything", || counted.load(Ordering::Relaxed) == events * WATCHERS as u64);
    assert_eq!(metric(&mut replicas, "pm_registry_events_encoded_total") - encoded, events, "once for all");
    let woken = metric(&mut replicas, "pm_registry_watchers_woken_total") - woken;
    println!("r16: {events} events were told by {} wakes of each watcher", woken / WATCHERS as u64);
    assert!(woken <= events * WATCHERS as u64, "somebody was woken for nothing");
}

/// A reader that takes a byte a second of what the registry sends.
fn trickle(address: &str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (here, address) = (listener.local_addr().unwrap(), address.to_owned());
    std::thread::spawn(move || {
        for client in listener.incoming().map(Result::unwrap) {
            let server = TcpStream::connect(&address).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            let (mut from, mut to) = (server, client);
            std::thread::spawn(move || {
                let mut byte = [0];
                while matches!(from.read(&mut byte), Ok(1)) && to.write_all(&byte).is_ok() {
                    std::thread::sleep(Duration::from_secs(1));
                }
            });
        }
    });
    here
}

#[test]
fn r16_watchers_that_do_not_read_hold_up_nobody_and_are_let_go() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 1);
    let url = replicas.replica(0).url();
    tell("nobody watches", &write(&replicas, "alone", WRITES));
    let token = sandbox.path().join("service.token");
    let readers: Vec<_> = (0..10)
        .map(|_| {
            let mut command = sandbox.command(&["events", "--follow", "-o", "jsonl", "--endpoint", &url]);
            command.arg("--token-file").arg(&token).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            let lines = Lines::of(child.stdout.take().unwrap());
            (child, lines)
        })
        .collect();
    let trickle = trickle(url.trim_start_matches("http://"));
    let slow = RegistryClient::new(&format!("http://{trickle}"), "a-token-that-the-services-share-0123456789");
    let asking = slow.clone();
    std::thread::spawn(move || {
        let request = v1::WatchEventsRequest { from_revision: 1, follow: true, ..Default::default() };
        // It never gets as far as an answer.
        let _ = asking.wait(asking.events().watch_events(request));
    });
    until("they watch", || replicas.replica(0).metric("pm_registry_watchers") >= 11);
    for (child, _) in &readers {
        proc::pause(child.id());
    }
    let before = resident(replicas.replica(0).pid());
    tell("11 do not read", &write(&replicas, "beside", WRITES));
    // Events of 100 instances a write: more than any buffer on the way takes.
    for n in 0..40 {
        replicas.client(0).run_program(&format!("many-{n}"), "true", 100).unwrap();
    }
    let last = replicas.status(0).unwrap().revision;
    let grown = resident(replicas.replica(0).pid()).saturating_sub(before);
    println!("r16: {} MiB more with readers that do not read", grown >> 20);
    assert!(grown < FOR_STALLED, "{grown} bytes");
    until("those who answer no sign of life are let go", || replicas.replica(0).metric("pm_registry_watchers") == 0);
    for (mut child, lines) in readers {
        proc::send(child.id(), Signal::CONT);
        // It notices, comes back, and has missed nothing.
        let _ = lines.wait_for(&format!("\"revision\":\"{last}\""));
        let revisions: Vec<u64> = lines
            .text()
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["revision"].as_str()?.parse().ok())
            .collect();
        assert!(revisions.windows(2).all(|pair| pair[0] + 1 == pair[1]), "a gap or a double: {revisions:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
