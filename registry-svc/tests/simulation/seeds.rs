//! The storm, with many seeds.

use crate::replica::Replica;
use crate::rig::Seeds;

/// About two minutes of a processor.
const SEEDS: Seeds = Seeds { package: "registry-svc", count: 200, kinds: KINDS };
/// What they have to have seen.
const KINDS: &[&str] = &[
    "acknowledged",
    "clock drifts",
    "clock jumps",
    "connection of a runner ended",
    "crash of a host",
    "crash of a process",
    "crash of a runner",
    "crash while syncing",
    "failed sync",
    "full disk",
    "instance.replaced",
    "isolated replica",
    "leader elected",
    "loss",
    "message came twice",
    "node rebooted",
    "node went for good and was declared lost",
    "node.suspect",
    "one-way cut",
    "order of a deposed leader refused",
    "outcome unknown",
    "power cut of all",
    "program began",
    "program taken over",
    "read",
    "refused",
    "repeated messages",
    "report sent again",
    "request repeated",
    "reset connection",
    "runner cut off",
    "runner turned away",
    "slow disk",
    "singleton ended by its keeper",
    "singleton fenced",
    "slow links",
    "snapshot installed",
    "snapshot interrupted",
    "snapshot taken",
    "split in two",
    "stalled sync",
    "unsynced records lost",
];

#[test]
fn every_seed_keeps_the_promises() {
    SEEDS.keep_the_promises::<Replica>("seeds::every_seed_keeps_the_promises");
}

#[test]
fn a_seed_repeats_itself_message_by_message() {
    SEEDS.repeat_themselves::<Replica>("seeds::a_seed_repeats_itself_message_by_message", &[3, 14]);
}
