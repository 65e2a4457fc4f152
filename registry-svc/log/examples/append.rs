//! Measures appends against the floor: pwrite and fdatasync in a preallocated
//! file. `cargo run --release -p registry-log --example append -- DIR`, on the
//! disk that is meant.

#![allow(clippy::unwrap_used, missing_docs)]

use bytes::Bytes;
use registry_log::{Entry, Floor, Identity, Log, Position, Settings, Write};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const PAYLOAD: usize = 200;
/// Bytes of a record with this payload.
const RECORD: usize = 256;
const OUTSTANDING: usize = 64;
const ROUND: Duration = Duration::from_millis(1500);
const ROUNDS: usize = 5;

fn main() {
    let dir = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let home = tempfile::tempdir_in(dir).unwrap();
    println!("round  floor p50 µs  log p50 µs   floor 64/sync entries/s  log 64 outstanding entries/s");
    for round in 1..=ROUNDS {
        let (floor, _) = write_floor(home.path(), 1);
        let log = log_sequential(&home.path().join(format!("sequential-{round}")));
        let (_, floor_many) = write_floor(home.path(), OUTSTANDING);
        let log_many = log_outstanding(&home.path().join(format!("outstanding-{round}")));
        println!("{round:5} {floor:13} {log:11} {floor_many:25} {log_many:29}");
    }
}

/// Median time of a write with its sync in µs, and entries a second.
fn write_floor(home: &Path, together: usize) -> (u128, u64) {
    let file = File::create(home.join("floor")).unwrap();
    let bytes = 16 << 20;
    file.write_all_at(&vec![0; bytes], 0).unwrap();
    file.sync_all().unwrap();
    let piece = vec![7; RECORD * together];
    let (began, mut took, mut offset) = (Instant::now(), Vec::new(), 0);
    while began.elapsed() < ROUND {
        let start = Instant::now();
        file.write_all_at(&piece, offset as u64).unwrap();
        file.sync_data().unwrap();
        took.push(start.elapsed());
        offset = (offset + piece.len()) % (bytes - piece.len());
    }
    let each_second = (took.len() * together) as f64 / began.elapsed().as_secs_f64();
    (median(took), each_second as u64)
}

fn log_at(dir: &Path) -> Log {
    let identity = Identity { cluster: [1; 16], replica: 1, epoch: 1, store: [2; 16] };
    let settings = Settings { reserve_bytes: 0, ..Settings::default() };
    Log::create(dir, &identity, &settings).unwrap();
    let log = Log::open(dir, &identity, &settings, &Floor::default()).unwrap().0;
    while log.figures().segments < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    log
}

fn entry(index: u64) -> Write {
    Write::Append(vec![Entry { at: Position { term: 1, index }, payload: Bytes::from_static(&[7; PAYLOAD]) }])
}

fn log_sequential(dir: &Path) -> u128 {
    let log = log_at(dir);
    let (began, mut took) = (Instant::now(), Vec::new());
    let (tell, told) = mpsc::channel();
    for index in 0.. {
        let (start, tell) = (Instant::now(), tell.clone());
        log.submit(entry(index), move |done| drop(tell.send(done))).unwrap();
        told.recv().unwrap().unwrap();
        took.push(start.elapsed());
        if began.elapsed() > ROUND {
            break;
        }
        purge_sometimes(&log, index);
    }
    median(took)
}

fn log_outstanding(dir: &Path) -> u64 {
    let log = log_at(dir);
    let (began, mut done) = (Instant::now(), 0_u64);
    let (tell, told) = mpsc::channel();
    for index in 0.. {
        let tell = tell.clone();
        log.submit(entry(index), move |done| drop(tell.send(done))).unwrap();
        if index >= OUTSTANDING as u64 {
            told.recv().unwrap().unwrap();
            done += 1;
        }
        if began.elapsed() > ROUND {
            break;
        }
        purge_sometimes(&log, index);
    }
    (done as f64 / began.elapsed().as_secs_f64()) as u64
}

/// As after a snapshot: segments are used again.
fn purge_sometimes(log: &Log, index: u64) {
    if index % 50_000 == 49_999 {
        log.submit(Write::Purge { upto: Position { term: 1, index: index - 25_000 } }, drop).unwrap();
    }
}

fn median(mut took: Vec<Duration>) -> u128 {
    took.sort();
    took[took.len() / 2].as_micros()
}
