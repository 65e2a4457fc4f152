//! R05: a full disk, on a real one. Appends are refused at once, votes and
//! purges still go, nothing hangs, and it recovers by itself.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use registry_log::{Log, Notice, Notify, OpenError, Refused, Settings, Space, Vote, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::disk::Disk;
use support::model::Model;
use support::{at, entry, eventually, fresh, open, write};

const DISK: u64 = 48 << 20;
const SEGMENT: u64 = 1 << 20;
const RESERVE: u64 = 3 << 20;
/// R05's bound.
const SOON: Duration = Duration::from_secs(5);

struct Full {
    // Closed before its disk goes.
    log: Log,
    news: Arc<Mutex<Vec<Space>>>,
    next: u64,
    disk: Disk,
}

fn settings(news: &Arc<Mutex<Vec<Space>>>) -> Settings {
    let news = news.clone();
    let notify = Notify::new(move |notice| match notice {
        Notice::Space(space) => news.lock().unwrap().push(space),
        Notice::Busy => {}
        Notice::Failed(fault) => panic!("a full disk is no fault: {fault}"),
    });
    Settings { segment_bytes: SEGMENT, reserve_bytes: RESERVE, tail_bytes: 0, notify: Some(notify) }
}

impl Full {
    /// Writes on a disk that somebody else filled, until it is refused.
    fn new() -> Self {
        let disk = Disk::new(DISK);
        let news = Arc::default();
        let log = fresh(&disk.path.join("log"), &settings(&news));
        let reserve = disk.path.join("log/reserve");
        eventually("the reserve is there", || reserve.metadata().is_ok_and(|found| found.len() == RESERVE));
        disk.fill(SEGMENT / 2);
        let mut full = Self { log, news, next: 0, disk };
        let refused = full.append_until_refused(200);
        assert!(matches!(refused, Refused::DiskFull), "{refused}");
        full
    }

    fn append(&mut self) -> Result<(), Refused> {
        let lsn = self.log.submit(Write::Append(vec![entry(1, self.next, 40_000)]), |done| assert!(done.is_ok()))?;
        self.log.wait(lsn).unwrap();
        self.next += 1;
        Ok(())
    }

    fn append_until_refused(&mut self, most: usize) -> Refused {
        for _ in 0..most {
            // Of the refusal alone: how long those before it take is the disk's matter.
            let began = Instant::now();
            if let Err(refused) = self.append() {
                assert!(began.elapsed() < SOON, "it hung");
                return refused;
            }
        }
        panic!("the disk never got full: {:?}", self.log.figures());
    }

    fn appends_again_within(&mut self, bound: Duration) {
        let began = Instant::now();
        while let Err(refused) = self.append() {
            assert!(matches!(refused, Refused::DiskFull), "{refused}");
            assert!(began.elapsed() < bound, "it does not recover");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn r05_appends_are_refused_and_votes_truncations_and_purges_are_not() {
    let mut full = Full::new();
    assert_eq!(full.log.figures().space, Space::Full);
    assert_eq!(*full.news.lock().unwrap(), [Space::Low, Space::Full]);
    assert!(full.next > 10, "the room that was left was not used");
    for term in 0..500 {
        write(&full.log, Write::Vote(Vote { term, voted_for: None, committed: false }));
    }
    write(&full.log, Write::Truncate { from: full.next - 1 });
    full.next -= 1;
    let first = full.log.extent().first.unwrap();
    write(&full.log, Write::Purge { upto: at(1, first) });
    let refused = full.append().unwrap_err();
    assert!(matches!(refused, Refused::DiskFull), "{refused}");
    assert!(full.log.figures().refused_full >= 2);
}

#[test]
fn r05_the_reserve_is_given_up_for_others_and_taken_again() {
    let mut full = Full::new();
    let reserve = full.disk.path.join("log/reserve");
    assert!(!reserve.exists());
    // That room is for a snapshot: the log does not take it for itself.
    let free = full.disk.free();
    assert!(free >= RESERVE, "{free} bytes are free");
    std::thread::sleep(Duration::from_millis(1200));
    assert!(matches!(full.append(), Err(Refused::DiskFull)));
    assert!(full.disk.free() >= RESERVE);
    std::fs::remove_file(full.disk.path.join("ballast")).unwrap();
    full.appends_again_within(SOON);
    eventually("the reserve is back", || reserve.metadata().is_ok_and(|found| found.len() == RESERVE));
    eventually("it is said", || full.log.figures().space == Space::Ample);
    assert_eq!(full.news.lock().unwrap().last(), Some(&Space::Ample));
}

#[test]
fn r05_a_purge_makes_room_while_the_disk_stays_full() {
    let mut full = Full::new();
    for _ in 0..5 {
        let last = full.log.extent().last.unwrap();
        write(&full.log, Write::Purge { upto: at(1, last.index - 1) });
        full.appends_again_within(SOON);
        full.append_until_refused(100);
    }
    assert!(full.log.figures().segments_recycled >= 4);
    assert!(full.disk.free() >= RESERVE, "the reserve's room was eaten");
}

#[test]
fn r05_a_log_on_a_full_disk_is_closed_and_opened() {
    let mut full = Full::new();
    let model = Model::of(&full.log);
    let dir = full.disk.path.join("log");
    for _ in 0..20 {
        full.log.close().unwrap();
        full.log = open(&dir, &settings(&full.news)).unwrap().0;
    }
    assert_eq!(Model::of(&full.log), model);
    assert!(matches!(full.append_until_refused(2), Refused::DiskFull));
    std::fs::remove_file(full.disk.path.join("ballast")).unwrap();
    full.appends_again_within(SOON);
}

#[test]
fn r05_a_log_is_not_half_made_on_a_full_disk() {
    let disk = Disk::new(DISK);
    disk.fill(SEGMENT / 2);
    let dir = disk.path.join("log");
    let settings = settings(&Arc::default());
    let error = Log::create(&dir, &support::IDENTITY, &settings).unwrap_err();
    assert!(matches!(&error, OpenError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull));
    assert!(!dir.exists());
    std::fs::remove_file(disk.path.join("ballast")).unwrap();
    let log = fresh(&dir, &settings);
    write(&log, Write::Append(vec![entry(1, 0, 10)]));
}
