//! What must not happen before something else is durable, seen from outside:
//! the writer thread is held in an answer, so that nothing more is written
//! while the chores go on.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use registry_log::{Log, Write};
use support::{at, copy, entries, entry, eventually, fresh, hold_the_writer, open, real_disk, segment, small, write};

/// Until the chores have written down all that is owed.
fn let_the_chores_run(log: &Log) {
    for index in [3, 4] {
        let before = log.figures().marks;
        log.set_committed(Some(at(1, index)));
        eventually("a mark is written", || log.figures().marks > before);
    }
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
    copy(&dir, &image);
    let segments = log.figures().segments;
    drop(go_on);
    // A crash before: the purge never was, so everything is there.
    let crashed = open(&image, &small()).unwrap().0;
    assert_eq!((entries(&crashed).len(), crashed.extent().purged), (100, None));
    eventually("they are freed", || log.figures().segments < segments);
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
    copy(&dir, &image);
    drop(go_on);
    let crashed = open(&image, &small()).unwrap().0;
    assert_eq!((crashed.extent().last, crashed.committed()), (Some(at(1, 4)), Some(at(1, 4))));
}

#[test]
fn what_no_mark_counts_is_written_and_synced_again_before_it_is_relied_on() {
    let home = real_disk();
    let (dir, image) = (home.path().join("log"), home.path().join("image"));
    let log = fresh(&dir, &small());
    let marks = std::fs::read(dir.join("marks")).unwrap();
    for index in 0..35 {
        write(&log, Write::Append(vec![entry(1, index, 2000)]));
    }
    copy(&dir, &image);
    // As if the process had ended before the next mark, perhaps because a sync
    // failed: what is read is then in memory, and on the disk nobody knows.
    std::fs::write(image.join("marks"), marks).unwrap();
    let (one, three) = (segment(&image, 1), segment(&image, 3));
    if three.exists() {
        std::fs::remove_file(three).unwrap();
    }
    // What this opening writes of its own goes to the second segment.
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::options().write(true).open(&one).unwrap().set_modified(long_ago).unwrap();
    let before = std::fs::read(&one).unwrap();
    let crashed = open(&image, &small()).unwrap().0;
    assert_eq!(crashed.extent().last, Some(at(1, 34)));
    assert_ne!(std::fs::metadata(&one).unwrap().modified().unwrap(), long_ago, "the first segment was only read");
    assert!(std::fs::read(&one).unwrap() == before);
}
