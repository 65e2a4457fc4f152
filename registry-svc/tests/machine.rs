//! The replicated state on real files: whatever way it took, it is the state
//! that the log says.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod place;
mod replica;

use registry_consensus::{Committed, Entry, Machine, Payload, Position, Snapshot, SnapshotMeta, SnapshotSource};
use registry_svc::machine::feed::Since;
use registry_svc::machine::{MemoryMachine, Pace};
use replica::*;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn what_was_applied_is_there_after_closing_and_opening_however_often_rows_were_written() {
    for pace in [
        hurried(),
        Pace { every: Duration::from_secs(3600), rows: usize::MAX, ..Pace::default() },
        Pace { rows: 40, first_rest: Duration::ZERO, ..Pace::default() },
    ] {
        let dir = place::real_disk();
        let mut upto = 0;
        for part in [1, 60, 133, 400] {
            let machine = open_with(dir.path(), pace);
            is_at(&machine, upto);
            apply_upto(&machine, part);
            is_at(&machine, part);
            machine.close();
            upto = part;
        }
        let machine = open(dir.path());
        is_at(&machine, upto);
        machine.close();
    }
}

#[test]
fn an_entry_that_a_later_version_wrote_stops_it_before_anything_of_the_run_is_applied() {
    let dir = place::real_disk();
    let machine = open(dir.path());
    apply_upto(&machine, 10);
    let mut later = registry_svc::machine::payload::encode(&[command(12)]).unwrap().bytes().to_vec();
    later[0] = 77;
    let at = Position { term: 1, index: 12 };
    let entries = vec![committed(11), Committed { at, entry: Entry::Batch(Payload::new(later.into()).unwrap()) }];
    let error = machine.apply(entries).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(error.to_string().contains("entry 12") && source.contains("upgrade"), "{error}: {source}");
    is_at(&machine, 10);
    let again = machine.apply(vec![committed(10)]).unwrap_err();
    assert!(again.to_string().contains("entry 10"), "{again}");
    is_at(&machine, 10);
    machine.close();
}

/// A receiver on another replica that gets a snapshot in pieces.
fn send(snapshot: &Snapshot, to: &MemoryMachine, interrupted_at: &[u64]) -> Snapshot {
    let total = snapshot.source.len();
    for stop in interrupted_at.iter().copied().chain([total]) {
        let mut sink = to.receive_snapshot(&snapshot.meta, total).unwrap();
        while sink.offset() < stop {
            let most = usize::try_from((stop - sink.offset()).min(1000)).unwrap();
            let bytes = snapshot.source.read_at(sink.offset(), most).unwrap();
            sink.append(&bytes).unwrap();
        }
        assert_eq!(sink.offset(), stop);
        if stop == total {
            return sink.finish().unwrap();
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_snapshot_that_crosses_in_pieces_makes_the_same_state_elsewhere() {
    let (dir, other) = (place::real_disk(), place::real_disk());
    let machine = open(dir.path());
    apply_upto(&machine, 300);
    let snapshot = machine.take_snapshot().await.unwrap();
    let total = snapshot.source.len();
    let follower = open(other.path());
    apply_upto(&follower, 40);
    let received = send(&snapshot, &follower, &[total / 10, total / 2, total * 99 / 100]);
    is_at(&follower, 40);
    let mut woken = follower.view().orders(&"node-1".parse().unwrap());
    let next = follower.view().read().state.revision() + 1;
    assert!(woken.changed().await && matches!(follower.view().feed().since(next, 1), Since::Nothing));
    follower.install_snapshot(received).await.unwrap();
    is_at(&follower, 300);
    let news = !matches!(follower.view().feed().since(next, 1), Since::Nothing);
    assert!(woken.changed().await && news, "everybody has to look again");
    apply_upto(&follower, 333);
    follower.close();
    let follower = open(other.path());
    is_at(&follower, 333);
    assert_eq!(bytes(&follower.newest_snapshot().unwrap().unwrap()), bytes(&snapshot));
    follower.close();
    machine.close();
}

#[tokio::test]
async fn equal_states_at_equal_positions_are_equal_files_and_others_are_not() {
    let mut seen = BTreeMap::new();
    for (way, upto) in [("at once", 200), ("reopened", 200), ("further", 203)] {
        let dir = place::real_disk();
        let machine = open(dir.path());
        apply_upto(&machine, 77);
        let machine = if way == "reopened" {
            machine.close();
            open(dir.path())
        } else {
            machine
        };
        apply_upto(&machine, upto);
        let snapshot = machine.take_snapshot().await.unwrap();
        seen.insert(way, (snapshot.meta.id.clone(), bytes(&snapshot)));
        machine.close();
    }
    assert_eq!(seen["at once"], seen["reopened"]);
    assert_ne!(seen["at once"].0, seen["further"].0);
}

#[tokio::test]
async fn two_snapshots_are_kept_and_what_is_being_sent_stays_readable() {
    let dir = place::real_disk();
    let machine = open(dir.path());
    assert!(machine.newest_snapshot().unwrap().is_none());
    apply_upto(&machine, 10);
    let first = machine.take_snapshot().await.unwrap();
    let before = bytes(&first);
    for upto in [20, 30, 40] {
        apply_upto(&machine, upto);
        machine.take_snapshot().await.unwrap();
    }
    assert_eq!(path_of(dir.path(), "snapshot").len(), 2);
    assert_eq!(bytes(&first), before);
    assert_eq!(machine.newest_snapshot().unwrap().unwrap().meta.at, Some(Position { term: 1, index: 40 }));
    assert_eq!(path_of(dir.path(), "tmp").len(), 0);
    machine.close();
}

fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// A directory with snapshots at 100 and 150, and rows at 180.
async fn a_history() -> tempfile::TempDir {
    let dir = place::real_disk();
    let machine = open(dir.path());
    for upto in [100, 150] {
        apply_upto(&machine, upto);
        machine.take_snapshot().await.unwrap();
    }
    apply_upto(&machine, 180);
    machine.close();
    dir
}

#[tokio::test]
async fn a_snapshot_with_any_flipped_or_missing_byte_is_set_aside_and_the_one_before_counts() {
    let dir = a_history().await;
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    let newest = path_of(dir.path(), "snapshot").pop().unwrap();
    let whole = std::fs::read(&newest).unwrap();
    let length = whole.len() as u64;
    let flips = (0..120).chain((120..length).step_by(usize::try_from(length / 60).unwrap())).chain([length - 1]);
    for damage in flips.map(Some).chain([None]) {
        std::fs::write(&newest, &whole).unwrap();
        match damage {
            Some(at) => flip(&newest, at),
            None => OpenOptions::new().write(true).open(&newest).unwrap().set_len(length / 2).unwrap(),
        }
        // The format is part of the head; another one is refused, not set aside: a later version may have written it.
        if damage.is_some_and(|at| (8..12).contains(&at)) {
            let opened = MemoryMachine::open(&places(dir.path()), Pace::default(), Default::default());
            assert!(opened.is_err_and(|error| error.to_string().contains("upgrade")), "{damage:?}");
            continue;
        }
        let machine = open(dir.path());
        assert_eq!(index(&machine), Some(100), "{damage:?} was not noticed");
        assert_eq!(machine.newest_snapshot().unwrap().unwrap().meta.at.unwrap().index, 100, "{damage:?}");
        machine.close();
        assert_eq!(path_of(dir.path(), "damaged").len(), 1);
        std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    }
    let machine = open(dir.path());
    is_at(&machine, 100);
    machine.close();
}

/// Something else than a machine writes its rows.
fn alter_rows(dir: &Path, alter: impl FnOnce(&sled::Db)) {
    let db = sled::open(dir.join("state")).unwrap();
    alter(&db);
    db.flush().unwrap();
    drop(db);
    // sled's own threads hold the file, and its lock, a moment longer.
    File::open(dir.join("state/db")).and_then(|file| file.lock().and_then(|()| file.unlock())).unwrap();
}

#[tokio::test]
async fn damaged_rows_are_rebuilt_from_the_snapshot_and_a_damaged_snapshot_costs_nothing_while_rows_are_sound() {
    let dir = a_history().await;
    let newest = path_of(dir.path(), "snapshot").pop().unwrap();
    flip(&newest, 3000);
    let machine = open(dir.path());
    is_at(&machine, 180);
    machine.close();

    for remove in [true, false] {
        let dir = a_history().await;
        alter_rows(dir.path(), |db| {
            // Any row, and one that was never there.
            let (key, value) = db.range([1u8]..).nth(57).unwrap().unwrap();
            if remove {
                db.remove(key).unwrap();
            } else {
                db.insert(b"zzz\0\0", value).unwrap();
            }
        });
        let machine = open(dir.path());
        is_at(&machine, 150);
        apply_upto(&machine, 200);
        machine.close();
        let machine = open(dir.path());
        is_at(&machine, 200);
        machine.close();
    }
}

#[tokio::test]
async fn with_everything_damaged_it_begins_with_nothing_and_says_so_by_its_position() {
    let dir = a_history().await;
    for path in path_of(dir.path(), "snapshot") {
        flip(&path, 200);
    }
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    let machine = open(dir.path());
    is_at(&machine, 0);
    machine.close();
}

struct Torn(Arc<dyn SnapshotSource>, u64);

impl SnapshotSource for Torn {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, most: usize) -> std::io::Result<bytes::Bytes> {
        let mut bytes = self.0.read_at(offset, most)?.to_vec();
        if let Some(byte) = self.1.checked_sub(offset).and_then(|at| bytes.get_mut(usize::try_from(at).unwrap())) {
            *byte ^= 1;
        }
        Ok(bytes.into())
    }
}

#[tokio::test]
async fn what_a_peer_sent_is_verified_before_it_changes_anything() {
    let (dir, other) = (place::real_disk(), place::real_disk());
    let machine = open(dir.path());
    apply_upto(&machine, 100);
    let snapshot = machine.take_snapshot().await.unwrap();
    let total = snapshot.source.len();
    let follower = open(other.path());
    apply_upto(&follower, 5);
    for at in [0, 9, 50, 90, total / 2, total - 1] {
        let torn = Snapshot { meta: snapshot.meta.clone(), source: Arc::new(Torn(snapshot.source.clone(), at)) };
        let mut sink = follower.receive_snapshot(&torn.meta, total).unwrap();
        assert_eq!(sink.offset(), 0, "what was damaged is not gone on with");
        sink.append(&torn.source.read_at(0, usize::try_from(total).unwrap()).unwrap()).unwrap();
        assert!(sink.finish().is_err(), "byte {at}");
        assert!(follower.install_snapshot(torn).await.is_err(), "byte {at}");
        for leftover in path_of(other.path(), "received") {
            std::fs::remove_file(leftover).unwrap();
        }
        is_at(&follower, 5);
    }
    // Less than announced, more than announced, another one than announced.
    let mut sink = follower.receive_snapshot(&snapshot.meta, total).unwrap();
    sink.append(b"short").unwrap();
    assert!(sink.finish().is_err());
    let mut sink = follower.receive_snapshot(&snapshot.meta, total).unwrap();
    assert!(sink.append(&vec![0; usize::try_from(total).unwrap() + 1]).is_err());
    drop(sink);
    let announced = SnapshotMeta { id: "f".repeat(64), ..snapshot.meta.clone() };
    let mut sink = follower.receive_snapshot(&announced, total).unwrap();
    sink.append(&bytes(&snapshot)).unwrap();
    assert!(sink.finish().is_err());
    is_at(&follower, 5);
    assert_eq!(path_of(other.path(), "received").len(), 0, "nothing of it is left");
    follower.close();
    machine.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_that_are_taken_while_entries_are_applied_are_of_one_moment() {
    let dir = place::real_disk();
    let machine = Arc::new(open_with(dir.path(), hurried()));
    let applying = machine.clone();
    let (tell, taken) = std::sync::mpsc::channel();
    let applier = tokio::task::spawn_blocking(move || {
        apply_upto(&applying, 1_000);
        // However slow the snapshots are, one of them is taken in between.
        let _ = taken.recv();
        apply_upto(&applying, 2_000);
    });
    while !applier.is_finished() {
        let snapshot = machine.take_snapshot().await.unwrap();
        let at = snapshot.meta.at.map_or(0, |at| at.index);
        let other = place::real_disk();
        let follower = open(other.path());
        let received = send(&snapshot, &follower, &[]);
        follower.install_snapshot(received).await.unwrap();
        is_at(&follower, at);
        follower.close();
        if at > 0 {
            let _ = tell.send(());
        }
    }
    applier.await.unwrap();
    is_at(&machine, 2_000);
    machine.close();
    let machine = open(dir.path());
    is_at(&machine, 2_000);
    machine.close();
}

#[tokio::test(start_paused = true)]
async fn a_disk_without_room_for_a_snapshot_is_asked_again_and_nothing_is_left_of_an_attempt() {
    let dir = place::real_disk();
    let machine = open(dir.path());
    apply_upto(&machine, 5);
    let aside = dir.path().join("snapshots/writing.tmp");
    // A disk that is always full, until the attempt is cleared away.
    std::os::unix::fs::symlink("/dev/full", &aside).unwrap();
    let began = tokio::time::Instant::now();
    let snapshot = machine.take_snapshot().await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(10), "invalid: the first attempt was no failure");
    assert_eq!(snapshot.meta.at.unwrap().index, 5);
    assert!(!aside.exists());
    machine.close();

    // A start that ends in the middle leaves nothing either.
    std::fs::write(&aside, "half of it").unwrap();
    open(dir.path()).close();
    assert!(!aside.exists());
}
