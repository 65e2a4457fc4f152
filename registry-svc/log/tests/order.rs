//! What must not happen before something else is durable, seen from outside:
//! the writer thread is held in an answer, so that nothing more is written
//! while the chores go on.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use registry_log::{Log, Write};
use std::path::Path;
use std::sync::{Arc, Barrier};
use support::{at, copy, entries, entry, eventually, fresh, open, real_disk, segment, small, write};

/// Holds the writer thread until the returned barrier is met once more.
fn hold_the_writer(log: &Log) -> Arc<Barrier> {
    let (held, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (met, released) = (held.clone(), go_on.clone());
    let hold = move |_| {
        met.wait();
        released.wait();
    };
    log.submit(Write::Flush, hold).unwrap();
    held.wait();
    go_on
}

/// Until the chores have written down all that is owed.
fn let_the_chores_run(log: &Log) {
    for index in [3, 4] {
        let before = log.figures().marks;
        log.set_committed(Some(at(1, index)));
        eventually("a mark is written", || log.figures().marks > before);
    }
}

fn reopened(dir: &Path, image: &Path) -> Log {
    copy(dir, image);
    open(image, &small()).unwrap().0
}

#[test]
fn segments_are_freed_only_after_the_purge_that_frees_them_is_durable() {
    let home = real_disk();
    let (dir, image) = (home.path().join("log"), home.path().join("image"));
    let log = fresh(&dir, &small());
    for index in 0..100 {
        write(&log, Write::Append(vec![entry(1, index, 2000)]));
    }
    let go_on = hold_the_writer(&log);
    log.submit(Write::Purge { upto: at(1, 90) }, drop).unwrap();
    log.submit(Write::Truncate { from: 95 }, drop).unwrap();
    let_the_chores_run(&log);
    assert!(segment(&dir, 1).exists(), "its entries are purged by a record that is not on the disk");
    // A crash now: the purge never was.
    let crashed = reopened(&dir, &image);
    assert_eq!((entries(&crashed).len(), crashed.extent().purged), (100, None));
    go_on.wait();
    eventually("it is freed", || !segment(&dir, 1).exists());
    assert_eq!(log.extent().purged, Some(at(1, 90)));
}

#[test]
fn a_mark_counts_nothing_that_is_not_durable() {
    let home = real_disk();
    let (dir, image) = (home.path().join("log"), home.path().join("image"));
    let log = fresh(&dir, &small());
    for index in 0..5 {
        write(&log, Write::Append(vec![entry(1, index, 100)]));
    }
    let go_on = hold_the_writer(&log);
    log.submit(Write::Append(vec![entry(1, 5, 100)]), drop).unwrap();
    let_the_chores_run(&log);
    let crashed = reopened(&dir, &image);
    assert_eq!((crashed.extent().last, crashed.committed()), (Some(at(1, 4)), Some(at(1, 4))));
    go_on.wait();
}
