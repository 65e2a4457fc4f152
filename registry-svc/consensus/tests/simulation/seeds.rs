//! The storm, with many seeds.

use crate::rig::Seeds;
use crate::words::Words;

/// About a minute of a processor.
const SEEDS: Seeds = Seeds { package: "registry-consensus", count: 300, kinds: KINDS };
/// What they have to have seen.
const KINDS: &[&str] = &[
    "acknowledged",
    "append joined one under way",
    "candidacy",
    "crash of a host",
    "crash of a process",
    "crash while syncing",
    "failed sync",
    "full disk",
    "hand-over",
    "interrupted snapshots",
    "isolated replica",
    "leader elected",
    "loss",
    "members changed",
    "message came twice",
    "message of a connection that is gone",
    "one-way cut",
    "outcome unknown",
    "power cut of all",
    "read",
    "repeated messages",
    "reset connection",
    "slow disk",
    "slow links",
    "snapshot gone on with",
    "snapshot installed",
    "snapshot interrupted",
    "snapshot taken",
    "split in two",
    "stalled sync",
    "unsynced records lost",
];

#[test]
fn every_seed_keeps_the_promises() {
    SEEDS.keep_the_promises::<Words>("seeds::every_seed_keeps_the_promises");
}

#[test]
fn a_seed_repeats_itself_message_by_message() {
    SEEDS.repeat_themselves::<Words>("seeds::a_seed_repeats_itself_message_by_message", &[3, 14, 159]);
}
