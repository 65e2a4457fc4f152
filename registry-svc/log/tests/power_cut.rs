//! R01: the power goes off. A writer on a disk of its own is stopped at any
//! moment; the disk's image is copied, so that what its file system had not
//! yet given to the device is lost; the copy is mounted and opened. What was
//! confirmed is there. The control does the same without syncing and has to
//! lose, or the test could not fail.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use registry_log::OpenError;
use support::child::{self, Writer};
use support::disk::Disk;
use support::model::Model;
use support::{open, small};

const DISK: u64 = 32 << 20;

#[test]
#[ignore = "run by another test, in a process of its own"]
fn a_writer_in_its_own_process() {
    child::run(&small());
}

struct Cut {
    found: Result<Model, OpenError>,
    confirmed: u64,
}

/// Runs a writer until so much is confirmed, stops it, cuts the power. A part
/// of what it confirmed before it stopped is still in the pipe: read last.
fn cut(seed: u64, confirmed: u64, fail_point: Option<&str>) -> Cut {
    let disk = Disk::new(DISK);
    let mut writer = Writer::start(&disk.path.join("log"), seed, u64::MAX, fail_point);
    assert!(writer.read_until(confirmed), "it ended by itself: {:?}", writer.said);
    rustix::process::kill_process(writer.pid(), rustix::process::Signal::STOP).unwrap();
    writer.wait_until_stopped();
    let (after, confirmed) = power_off(&disk, writer);
    let found = open(&after.path.join("log"), &small()).map(|(log, _)| {
        let model = Model::of(&log);
        // It goes on from there.
        support::write(&log, registry_log::Write::Flush);
        log.close().unwrap();
        model
    });
    Cut { found, confirmed }
}

/// The disk afterwards, and how much a writer that stands still had confirmed.
fn power_off(disk: &Disk, writer: Writer) -> (Disk, u64) {
    let after = disk.after_power_cut();
    let ended = writer.kill();
    assert!(ended.was_killed(), "it did not stand still: {:?}", ended.said);
    (after, ended.confirmed)
}

#[test]
fn r01_a_power_cut_loses_nothing_that_was_confirmed() {
    let mut more = 0;
    for (round, confirmed) in [1, 20, 90, 250, 400, 777].into_iter().enumerate() {
        let seed = 100 + round as u64;
        let Cut { found, confirmed } = cut(seed, confirmed, None);
        let found = found.unwrap_or_else(|error| panic!("seed {seed}, {confirmed} confirmed: {error}"));
        more += child::check(&found, &Model::default(), seed, confirmed, confirmed + 1000) - confirmed;
    }
    println!("{more} requests were on the disk and not yet confirmed");
}

/// Steps whose order on the disk matters: a kill cannot show a sync that is
/// missing, since the system goes on; a power cut can.
const POINTS: &[&str] = &[
    "append.after:30",
    "vote.after:3",
    "truncate.after:2",
    "purge.after:2",
    "head.before:3",
    "head.after:3",
    "mark.before:4",
    "mark.torn:5",
    "mark.after:4",
    "segment.written:3",
    "segment.named:3",
    "segment.listed:2",
    "segment.recycled:1",
    "segment.recycled:2",
    "purge.listed:1",
    "open.marked:1",
    "create.named:1",
];

#[test]
fn r01_a_power_cut_at_any_step_loses_nothing_that_was_confirmed() {
    for point in POINTS {
        let disk = Disk::new(DISK);
        let writer = Writer::start(&disk.path.join("log"), 77, u64::MAX, Some(&format!("{point}:stop")));
        writer.wait_until_stopped();
        let (after, confirmed) = power_off(&disk, writer);
        let dir = after.path.join("log");
        if point.starts_with("create") && !dir.exists() {
            // The name of the directory was not yet durable, and nobody was told that it was.
            continue;
        }
        let (log, _) = open(&dir, &small()).unwrap_or_else(|error| panic!("{point}: {error}"));
        child::check(&Model::of(&log), &Model::default(), 77, confirmed, confirmed + 1000);
    }
}

/// How often the power goes off in the long form; each takes about a second.
const ROUNDS: &str = "PM_POWER_CUTS";
const SHORT: u64 = 4;

#[test]
fn r01_power_cuts_one_after_the_other_in_one_log_lose_nothing_that_was_confirmed() {
    let rounds = std::env::var(ROUNDS).map_or(SHORT, |rounds| rounds.parse().expect(ROUNDS));
    let mut disk = Disk::new(DISK);
    let mut before = Model::default();
    let mut beyond = 0;
    for round in 0..rounds {
        let seed = 1000 + round;
        let mut writer = Writer::start(&disk.path.join("log"), seed, u64::MAX, None);
        // From none to a few segments.
        assert!(writer.read_until(round.wrapping_mul(7919) % 600), "round {round}: it ended: {:?}", writer.said);
        rustix::process::kill_process(writer.pid(), rustix::process::Signal::STOP).unwrap();
        writer.wait_until_stopped();
        let (after, confirmed) = power_off(&disk, writer);
        disk = after;
        let dir = disk.path.join("log");
        if before == Model::default() && confirmed == 0 && !dir.exists() {
            continue;
        }
        let (log, _) = open(&dir, &small()).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let found = Model::of(&log);
        log.close().unwrap();
        beyond += child::check(&found, &before, seed, confirmed, confirmed + 1000) - confirmed;
        before = found;
    }
    println!("{beyond} requests in {rounds} rounds were on the disk and not yet confirmed");
}

#[test]
fn r01_control_a_log_that_is_not_synced_loses_what_it_confirmed() {
    let Cut { found, confirmed } = cut(200, 300, Some("sync:1:skip"));
    let lost = match found {
        // It is even noticed: the mark was synced and the log was not.
        Err(error @ (OpenError::LostTail { .. } | OpenError::Damaged { .. })) => format!("it does not open: {error}"),
        Err(error) => panic!("that is no loss of what was written: {error}"),
        Ok(found) => {
            let mut model = Model::default();
            let mut script = child_script(200);
            let survived = (0..confirmed).find(|_| {
                let is_there = model == found;
                model.apply(&script.next().unwrap());
                is_there
            });
            let survived = survived.expect("all that was confirmed survived: the power cut cut nothing");
            format!("{survived} of {confirmed}")
        }
    };
    println!("without sync: {lost}");
}

fn child_script(seed: u64) -> support::script::Script {
    support::script::Script::new(seed, Model::default())
}
