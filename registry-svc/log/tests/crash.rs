//! R03: a writer that ends at any moment. Whatever it confirmed is there
//! afterwards, in order and unchanged; and nothing is there that it was not
//! asked for.

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

/// Every point where a record, a mark or a segment is half done, and how often
/// it is passed before.
const POINTS: &[(&str, &[u64])] = &[
    ("append.before", &[1, 7, 40]),
    ("append.after", &[1, 7, 40]),
    ("vote.before", &[1, 5]),
    ("vote.after", &[1, 5]),
    ("truncate.before", &[1, 4]),
    ("truncate.after", &[1, 4]),
    ("purge.before", &[1, 3]),
    ("purge.after", &[1, 3]),
    ("head.before", &[1, 2, 5]),
    ("head.after", &[1, 2, 5]),
    ("group.torn", &[1, 2, 9, 40]),
    ("sync.before", &[1, 2, 9, 40]),
    ("mark.before", &[1, 2, 3, 6]),
    ("mark.torn", &[1, 2, 3, 4, 6]),
    ("mark.after", &[1, 2, 3, 6]),
    ("segment.allocated", &[1, 2, 3]),
    ("segment.written", &[1, 2, 3]),
    ("segment.named", &[1, 2, 3, 5]),
    ("segment.listed", &[1, 2, 4]),
    ("segment.recycled", &[1, 2]),
    ("purge.listed", &[1, 2]),
    ("open.marked", &[1]),
    ("create.segment", &[1]),
    ("create.marks", &[1]),
    ("create.named", &[1]),
];

#[test]
fn r03_a_crash_at_any_point_loses_nothing_that_was_confirmed() {
    for (name, times) in POINTS {
        for n in *times {
            crash_at(name, *n, 11 + n);
        }
    }
}

fn crash_at(name: &str, n: u64, seed: u64) {
    let home = real_disk();
    let dir = home.path().join("log");
    let point = format!("{name}:{n}:abort");
    let ended = Writer::start(&dir, seed, REQUESTS, Some(&point)).end();
    assert!(ended.was_aborted(), "{point} was not reached: {:?}, {:?}", ended.status, ended.said);
    // Making the log passes the points of its first segment and mark as well.
    let in_making = ["segment.allocated", "segment.written", "segment.named", "mark.torn"];
    if ["create.segment", "create.marks"].contains(&name) || n == 1 && in_making.contains(&name) {
        assert!(!dir.exists(), "{point}: half a log has the name of a log");
        registry_log::Log::create(&dir, &support::IDENTITY, &small()).unwrap();
    }
    let checked = registry_log::verify(&dir).unwrap_or_else(|error| panic!("{point}: {error}"));
    let (log, survey) = open(&dir, &small()).unwrap_or_else(|error| panic!("{point}: {error}"));
    assert_eq!(survey.extent, checked.extent, "{point}");
    let found = Model::of(&log);
    let done = child::check(&found, &Model::default(), seed, ended.confirmed, REQUESTS);
    assert!(done <= REQUESTS);
    drop(log);
    // It goes on as if nothing had been, and so does the next opening.
    let ended = Writer::start(&dir, seed + 1, REQUESTS, None).end();
    assert!(ended.said("closed"), "{point}: {:?}", ended.said);
    let (log, _) = open(&dir, &small()).unwrap_or_else(|error| panic!("{point}: {error}"));
    assert_eq!(child::check(&Model::of(&log), &found, seed + 1, REQUESTS, REQUESTS), REQUESTS);
}

#[test]
fn kill_9_again_and_again_in_one_directory_loses_nothing_that_was_confirmed() {
    let home = real_disk();
    let dir = home.path().join("log");
    let mut before = Model::default();
    let mut beyond = 0;
    for round in 0..12 {
        let mut writer = Writer::start(&dir, round, u64::MAX, None);
        assert!(writer.read_until(10 + round * 37), "it ended by itself: {:?}", writer.said);
        let ended = writer.kill();
        assert!(ended.was_killed());
        let (log, survey) = open(&dir, &small()).unwrap();
        assert_eq!(survey.boot, 2 * round + 2);
        let found = Model::of(&log);
        beyond += child::check(&found, &before, round, ended.confirmed, ended.confirmed + 1000) - ended.confirmed;
        before = found;
    }
    // Else nothing was in flight when it was killed.
    assert!(beyond > 0, "no round was interrupted in the middle of anything");
}

#[test]
fn a_writer_that_stops_between_write_and_sync_has_confirmed_nothing_of_it() {
    let home = real_disk();
    let dir = home.path().join("log");
    let writer = Writer::start(&dir, 5, REQUESTS, Some("sync.before:9:stop"));
    writer.wait_until_stopped();
    let ended = writer.kill();
    assert!(ended.was_killed());
    let (log, _) = open(&dir, &small()).unwrap();
    let done = child::check(&Model::of(&log), &Model::default(), 5, ended.confirmed, REQUESTS);
    assert!(done > ended.confirmed, "the written group was there to be found");
}
