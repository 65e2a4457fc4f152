//! What the tests of the log share.
//!
//! | module | what |
//! |---|---|
//! | [`model`] | the log as a plain list: what it must hold |
//! | [`script`] | requests out of a seed, the same in parent and child |
//! | [`child`] | a writer in a process of its own, that can be killed |
//! | [`disk`] | a small disk of its own: ext4 in a file |

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod child;
pub mod disk;
pub mod model;
pub mod script;

use bytes::Bytes;
use registry_log::{Entry, Floor, Identity, Limit, Log, Lsn, OpenError, Position, Settings, Survey, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;
use tempfile::TempDir;

pub const IDENTITY: Identity = Identity { cluster: [7; 16], replica: 3, epoch: 1, store: [9; 16] };
pub const SEGMENT: u64 = 64 << 10;
pub const EVERYTHING: Limit = Limit { entries: usize::MAX, bytes: usize::MAX };
/// Longer than anything here takes, on a slow disk too.
pub const LONG: Duration = Duration::from_secs(60);

/// A directory on a real disk: `/tmp` may be memory, where every sync is a
/// success.
pub fn real_disk() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Small segments, nothing cached, no reserve.
pub fn small() -> Settings {
    Settings { segment_bytes: SEGMENT, reserve_bytes: 0, tail_bytes: 0, notify: None }
}

pub fn open(dir: &Path, settings: &Settings) -> Result<(Log, Survey), OpenError> {
    Log::open(dir, &IDENTITY, settings, &Floor::default())
}

/// Made and opened; the next segment is there, so that for a while nobody
/// makes files.
pub fn fresh(dir: &Path, settings: &Settings) -> Log {
    Log::create(dir, &IDENTITY, settings).unwrap();
    let log = open(dir, settings).unwrap().0;
    eventually("the next segment is there", || log.figures().segments == 2);
    log
}

pub fn at(term: u64, index: u64) -> Position {
    Position { term, index }
}

/// A payload that only this position has.
pub fn payload(at: Position, len: usize) -> Bytes {
    let word = (at.term << 32 | at.index).to_le_bytes();
    Bytes::from_iter(word.iter().copied().cycle().take(len))
}

pub fn entry(term: u64, index: u64, len: usize) -> Entry {
    Entry { at: at(term, index), payload: payload(at(term, index), len) }
}

/// Submits and waits until it is durable.
pub fn write(log: &Log, write: Write) -> Lsn {
    let (tell, told) = mpsc::channel();
    log.submit(write, move |done| tell.send(done).unwrap()).unwrap();
    told.recv_timeout(LONG).expect("no answer").unwrap()
}

/// Holds the writer thread until what is returned is dropped.
pub fn hold_the_writer(log: &Log) -> mpsc::Sender<()> {
    let held = Arc::new(Barrier::new(2));
    let met = held.clone();
    let (go_on, released) = mpsc::channel();
    let hold = move |_| {
        met.wait();
        let _ = released.recv();
    };
    log.submit(Write::Flush, hold).unwrap();
    held.wait();
    go_on
}

/// All entries that it holds.
pub fn entries(log: &Log) -> Vec<Entry> {
    let Some(first) = log.extent().first else { return Vec::new() };
    log.read(first..u64::MAX, EVERYTHING).unwrap()
}

/// What is on the disk at a moment at which nobody makes or renames a file, as a killed process leaves it. The next
/// segment may just be made: then a name that was found is gone when it is copied.
pub fn copy(from: &Path, to: &Path) {
    eventually("nobody makes a file meanwhile", || {
        let _ = std::fs::remove_dir_all(to);
        std::fs::create_dir_all(to).unwrap();
        let found = names(from);
        let copied = |name: &String| name != "making.tmp" && std::fs::copy(from.join(name), to.join(name)).is_ok();
        found.iter().all(copied) && names(from) == found
    });
}

pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn segment(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

/// Waits for something that another thread does.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < LONG, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
