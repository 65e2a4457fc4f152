//! R06: the disk fails. The first failed write or sync is the end: everybody
//! is told, nothing is synced again, and a new opening finds what was
//! confirmed.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::child::{self, Writer};
use support::model::Model;
use support::{open, real_disk, small};

const REQUESTS: u64 = 600;

#[test]
#[ignore = "run by another test, in a process of its own"]
fn a_writer_in_its_own_process() {
    child::run(&small());
}

#[test]
fn r06_a_failed_write_or_sync_is_the_end_and_is_never_repeated() {
    let points = [
        "sync.before:2:eio",
        "sync.before:30:eio",
        "append.before:12:eio",
        "append.before:12:enospc",
        "vote.after:2:eio",
        "mark.before:3:eio",
        "mark.before:3:enospc",
        "segment.allocated:4:eio",
        "segment.written:3:eio",
    ];
    for point in points {
        let home = real_disk();
        let dir = home.path().join("log");
        let ended = Writer::start(&dir, 31, REQUESTS, Some(point)).end();
        assert!(ended.status.success(), "{point}: {:?}", ended.said);
        let closed = ended.said.iter().find(|line| line.starts_with("closed after"));
        let closed = closed.unwrap_or_else(|| panic!("{point} was not reached: {:?}", ended.said));
        assert!(closed.contains("cannot"), "{point}: {closed}");
        // How many syncs there were when the last request was refused, and at the end.
        let syncs: Vec<u64> = closed.rsplit(' ').take(2).map(|count| count.parse().unwrap()).collect();
        // When the chores fail, the writer may be at a sync of its own.
        let under_way = u64::from(point.starts_with("mark") || point.starts_with("segment"));
        assert!(syncs[0] <= syncs[1] + under_way, "{point}: it was synced again: {closed}");
        assert!(ended.said("fault") || ended.said("refused"), "{point}: nobody was told: {:?}", ended.said);
        let (log, _) = open(&dir, &small()).unwrap_or_else(|error| panic!("{point}: {error}"));
        child::check(&Model::of(&log), &Model::default(), 31, ended.confirmed, REQUESTS);
    }
}

#[test]
fn r06_no_room_for_a_segment_is_no_fault() {
    let home = real_disk();
    let dir = home.path().join("log");
    let ended = Writer::start(&dir, 31, REQUESTS, Some("segment.allocated:3:enospc")).end();
    assert!(ended.status.success() && ended.said("closed"), "{:?}", ended.said);
    assert!(!ended.said("fault"), "{:?}", ended.said);
    // The room was only missing once; either it was needed meanwhile or not.
    assert!(ended.confirmed == REQUESTS || ended.said("the disk is full"), "{:?}", ended.said);
}

#[test]
fn r06_an_opening_that_fails_says_so_and_the_next_one_succeeds() {
    for point in ["mark.before:1:eio", "open.marked:1:eio", "sync.before:1:eio", "head.before:1:eio"] {
        let home = real_disk();
        let dir = home.path().join("log");
        let ended = Writer::start(&dir, 31, REQUESTS, Some(point)).end();
        assert!(ended.said("not opened"), "{point}: {:?}", ended.said);
        let (log, _) = open(&dir, &small()).unwrap_or_else(|error| panic!("{point}: {error}"));
        assert_eq!(Model::of(&log), Model::default());
    }
}
