//! `kill -9` of a machine that applies, writes rows behind and takes
//! snapshots, at any moment: the next one opens with a state that once was,
//! not before the newest snapshot, and the log's entries lead on from there.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod place;
mod replica;

use registry_svc::io::state_store::StateStore;
use replica::child::{self, Other, Said};
use replica::*;
use std::path::Path;

#[test]
fn a_machine_in_its_own_process() {
    child::run();
}

/// Opens what a crash left; how far it had come.
fn opened_after(dir: &Path, said: Said) -> u64 {
    // Rows and position were written together, or the digest would tell.
    let store = StateStore::open(&dir.join("state")).unwrap();
    let (rows, applied) = store.load().expect("a crash tore a batch of rows");
    let rows_at = applied.at.map_or(0, |at| at.index);
    assert!(rows == Model::at(rows_at).state, "the rows at {rows_at} are not the state");
    assert_eq!(applied, Model::at(rows_at).applied());
    store.close();

    let machine = open(dir);
    let at = index(&machine).unwrap_or(0);
    assert!(
        (said.snapshot..=said.at + 1).contains(&at),
        "it begins at {at}, a snapshot was taken at {}",
        said.snapshot
    );
    is_at(&machine, at);
    apply_upto(&machine, said.at + 20);
    is_at(&machine, said.at + 20);
    machine.close();
    at
}

#[test]
fn after_kill_9_at_any_moment_the_state_is_one_that_was_and_the_log_leads_on() {
    let dir = place::real_disk();
    let (mut written, mut upto) = (0, 0);
    for round in 0..14 {
        // Early, late, and around the times of snapshots.
        upto += [3, 40, 97, 151, 210, 333, 80][round % 7];
        let said = Other::start(dir.path(), 100, None).kill_at(upto);
        let at = opened_after(dir.path(), said);
        written += u64::from(!at.is_multiple_of(100));
        upto = said.at + 20;
    }
    assert!(written > 0, "rows were never the newer of the two; the test does not test");
}

#[test]
fn after_a_crash_at_each_step_of_writing_the_state_is_one_that_was() {
    for point in ["rows_taken:3", "rows_taken:60", "rows_written:1", "rows_written:25", "rows_written:140"] {
        let dir = place::real_disk();
        let said = Other::start(dir.path(), 70, Some(point)).end();
        assert!(said.aborted, "{point} was not reached");
        opened_after(dir.path(), said);
    }
    for point in ["snapshot_written:1", "snapshot_written:3", "snapshot_counts:1", "snapshot_counts:4"] {
        let dir = place::real_disk();
        let said = Other::start(dir.path(), 30, Some(point)).end();
        assert!(said.aborted, "{point} was not reached");
        opened_after(dir.path(), said);
        // A crash between the name of the newest and the end of the oldest leaves one more.
        assert!(path_of(dir.path(), "snapshot").len() <= 3);
    }
}

/// After a crash under the mark "unfinished": the rows do not count, the
/// snapshot does. False when sled, which writes in its own time, had not
/// written the mark yet: what was before it counts then.
fn rows_are_lost(dir: &Path, said: Said, snapshot_every: u64) -> bool {
    assert!(said.aborted, "no more rows were written than fit into a batch");
    if StateStore::open(&dir.join("state")).unwrap().load().is_ok() {
        opened_after(dir, said);
        return false;
    }
    let machine = open(dir);
    let at = index(&machine).unwrap_or(0);
    assert!(at >= said.snapshot && at.is_multiple_of(snapshot_every), "it begins at {at}, where no snapshot was taken");
    is_at(&machine, at);
    apply_upto(&machine, said.at + 20);
    is_at(&machine, said.at + 20);
    machine.close();
    true
}

/// A run that leaves no half of a state proves nothing of it: it is made again.
fn in_one_of_some(run: impl Fn(&Path) -> bool) {
    assert!((0..10).any(|_| run(place::real_disk().path())), "no crash left half a state");
}

#[test]
fn after_a_crash_between_the_batches_of_many_rows_the_snapshot_counts() {
    in_one_of_some(|dir| {
        let first = Other::start(dir, 300, None).kill_at(620);
        std::fs::remove_dir_all(dir.join("state")).unwrap();
        let said = Other::start(dir, 300, Some("rows_part:1")).end();
        // Either of them may have come further, and to another snapshot, before it ended.
        let (at, snapshot) = (said.at.max(first.at), said.snapshot.max(first.snapshot));
        rows_are_lost(dir, Said { at, snapshot, ..said }, 300)
    });
    in_one_of_some(|dir| {
        let said = Other::start_with(dir, 20, 4, Some("rows_part:90")).end();
        rows_are_lost(dir, said, 20)
    });
}
