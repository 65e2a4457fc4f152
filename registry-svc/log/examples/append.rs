//! Measures appends against their floor in the same run: pwrite and fdatasync
//! in a preallocated, zero-filled file beside the log, of as many bytes as the
//! log writes. Slices of both alternate, so that what else the disk does meets
//! both. `cargo run --release -p registry-log --example append -- DIR`, on the
//! disk that is meant.

#![allow(clippy::unwrap_used, missing_docs)]

use bytes::Bytes;
use registry_log::{Entry, Floor, Identity, Log, Position, Settings, Write};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

const SLICE: Duration = Duration::from_millis(250);
const SLICES: usize = 20;
/// Bytes of a record besides its payload.
const FRAME: usize = 56;
const SEGMENT: usize = 16 << 20;
/// As after a snapshot: then segments are used again.
const PURGED_AFTER: usize = 32 << 20;

fn main() {
    let dir = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let home = tempfile::tempdir_in(dir).unwrap();
    println!("payload writers |  floor p50   p99 µs  entries/s |    log p50   p99 µs  entries/s | p50    p99    rate");
    for payload in [200, 64 << 10] {
        for writers in [1, 64] {
            compare(home.path(), payload, writers);
        }
    }
}

/// What one side did: how long each entry took, and how many a second.
#[derive(Default)]
struct Measured {
    took: Vec<Duration>,
    entries: usize,
    time: Duration,
}

impl Measured {
    fn quantile(&mut self, q: f64) -> f64 {
        self.took.sort_unstable();
        self.took[((self.took.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e6
    }

    fn rate(&self) -> f64 {
        self.entries as f64 / self.time.as_secs_f64()
    }
}

fn compare(home: &Path, payload: usize, writers: usize) {
    let file = File::create(home.join("floor")).unwrap();
    file.write_all_at(&vec![0; SEGMENT], 0).unwrap();
    file.sync_all().unwrap();
    let dir = home.join(format!("{payload}-{writers}"));
    let log = Subject { log: log_at(&dir), payload, next: Mutex::new((0, 0)) };
    let (mut floor, mut ours, mut offset) = (Measured::default(), Measured::default(), 0);
    for slice in 0..=SLICES {
        // The first slice warms up.
        let (mut first_floor, mut first_ours) = (Measured::default(), Measured::default());
        let is_first = slice == 0;
        write_floor(&file, &mut offset, payload, writers, if is_first { &mut first_floor } else { &mut floor });
        log.write(writers, if is_first { &mut first_ours } else { &mut ours });
    }
    let (a, b) = ((floor.quantile(0.5), floor.quantile(0.99)), (ours.quantile(0.5), ours.quantile(0.99)));
    println!(
        "{payload:7} {writers:7} | {:10.0} {:8.0} {:10.0} | {:10.0} {:8.0} {:10.0} | {:.2}   {:.2}   {:.2}",
        a.0,
        a.1,
        floor.rate(),
        b.0,
        b.1,
        ours.rate(),
        b.0 / a.0,
        b.1 / a.1,
        ours.rate() / floor.rate(),
    );
    log.log.close().unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

/// One write and one sync for the records of all writers, which is the best
/// that anybody could do for them.
fn write_floor(file: &File, offset: &mut usize, payload: usize, writers: usize, into: &mut Measured) {
    let piece = vec![7; (FRAME + payload).next_multiple_of(8) * writers];
    let began = Instant::now();
    while began.elapsed() < SLICE {
        if *offset + piece.len() > SEGMENT {
            *offset = 0;
        }
        let start = Instant::now();
        file.write_all_at(&piece, *offset as u64).unwrap();
        file.sync_data().unwrap();
        into.took.push(start.elapsed());
        into.entries += writers;
        *offset += piece.len();
    }
    into.time += began.elapsed();
}

fn log_at(dir: &Path) -> Log {
    let identity = Identity { cluster: [1; 16], replica: 1, epoch: 1, store: [2; 16] };
    let settings = Settings { reserve_bytes: 0, segment_bytes: SEGMENT as u64, ..Settings::default() };
    Log::create(dir, &identity, &settings).unwrap();
    let log = Log::open(dir, &identity, &settings, &Floor::default()).unwrap().0;
    while log.figures().segments < 2 {
        std::thread::yield_now();
    }
    log
}

struct Subject {
    log: Log,
    payload: usize,
    /// The next index, and bytes since the last purge.
    next: Mutex<(u64, usize)>,
}

impl Subject {
    /// Threads that write one entry after the other, each with one outstanding.
    fn write(&self, writers: usize, into: &mut Measured) {
        let (is_over, began) = (AtomicBool::new(false), Instant::now());
        let took: Vec<Duration> = std::thread::scope(|scope| {
            let run = || {
                let (mut took, (tell, told)) = (Vec::new(), mpsc::channel());
                while !is_over.load(Ordering::Relaxed) {
                    let (start, tell) = (Instant::now(), tell.clone());
                    self.submit(move || tell.send(()).unwrap());
                    told.recv().unwrap();
                    took.push(start.elapsed());
                }
                took
            };
            let threads: Vec<_> = (0..writers).map(|_| scope.spawn(run)).collect();
            std::thread::sleep(SLICE);
            is_over.store(true, Ordering::Relaxed);
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        into.time += began.elapsed();
        into.entries += took.len();
        into.took.extend(took);
    }

    fn submit(&self, done: impl FnOnce() + Send + 'static) {
        let mut next = self.next.lock().unwrap();
        let index = next.0;
        let payload = Bytes::from(vec![7; self.payload]);
        let entry = Entry { at: Position { term: 1, index }, payload };
        self.log.submit(Write::Append(vec![entry]), move |result| result.map(|_| done()).unwrap()).unwrap();
        *next = (index + 1, next.1 + self.payload + FRAME);
        if next.1 > PURGED_AFTER {
            next.1 = 0;
            self.log.submit(Write::Purge { upto: Position { term: 1, index } }, drop).unwrap();
        }
    }
}
