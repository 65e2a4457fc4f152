//! R12: a follower that was away for long gets a snapshot. The transfer is cut
//! off near its begin, in its middle, near its end, by the death of either end
//! and of both; two followers get one at the same time. No replica ever shows
//! a part of a state.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::time::{Duration, Instant};
use system_tests::{DEADLINE, Load, Plan, Replicas, Sandbox, until};

/// Bytes of each value: a thousand of them are more than a log keeps.
const VALUE: usize = 48 << 10;
/// A log longer than what is kept beside a snapshot, by far.
const WRITES: usize = 1_000;
/// Between two looks at a file that grows.
const LOOK: Duration = Duration::from_micros(300);

/// Sizes of the files of a kind among a replica's snapshots.
fn sizes(replicas: &mut Replicas, i: usize, extension: &str) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir(snapshots(replicas, i)) else { return Vec::new() };
    let of_kind = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|found| found == extension));
    of_kind.filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).collect()
}

fn snapshots(replicas: &mut Replicas, i: usize) -> PathBuf {
    replicas.replica(i).directory().join("snapshots")
}

/// Waits until a follower has received so many of a hundred parts of what the
/// sender has, stops it there, and says how many they are.
fn stop_at(replicas: &mut Replicas, (sender, receiver): (usize, usize), percent: u64) -> u64 {
    let began = Instant::now();
    let received = |replicas: &mut Replicas| sizes(replicas, receiver, "received").into_iter().max();
    // The state only grows here, and with it each snapshot.
    let whole = sizes(replicas, sender, "snapshot").into_iter().max().expect("invalid: the leader has no snapshot");
    loop {
        if received(replicas).is_some_and(|bytes| bytes * 100 >= whole * percent) {
            replicas.pause(receiver);
            // It may have become whole in the last moment.
            if let Some(bytes) = received(replicas) {
                return bytes * 100 / whole;
            }
            replicas.cont(receiver);
        }
        assert!(began.elapsed() < DEADLINE, "invalid: no transfer came to {percent} %: {}", replicas.told());
        std::thread::park_timeout(LOOK);
    }
}

#[test]
fn r12_a_snapshot_that_is_cut_off_anywhere_leaves_no_part_of_a_state() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 5).start();
    let leader = replicas.wait_for_leader();
    let mut followers = replicas.places().into_iter().filter(|i| *i != leader);
    let (one, other) = (followers.next().unwrap(), followers.next().unwrap());
    replicas.kill(one);
    replicas.kill(other);
    let load = Load { bytes: VALUE, pause: Duration::ZERO, ..Load::of(8) }.start(&replicas);
    load.wait_for_successes(WRITES, "while two followers are away");
    let _ = load.finish().is_good();
    until("the leader has a snapshot", || !sizes(&mut replicas, leader, "snapshot").is_empty());

    for (percent, receiver_dies, sender_dies) in [(10, true, false), (50, false, true), (99, true, true)] {
        let sender = replicas.wait_for_leader();
        if replicas.replica(one).is_running() {
            replicas.cont(one);
        } else {
            replicas.replica(one).spawn();
        }
        let reached = stop_at(&mut replicas, (sender, one), percent);
        println!("r12: cut off at {reached} %, receiver dies: {receiver_dies}, sender dies: {sender_dies}");
        if receiver_dies {
            replicas.kill(one);
        }
        if sender_dies {
            // The receiver stands still until there is a leader again.
            replicas.restart(sender);
        }
    }

    // Two at once, from the same sender, both from the begin.
    for entry in std::fs::read_dir(snapshots(&mut replicas, one)).unwrap().flatten() {
        if entry.path().extension().is_some_and(|found| found == "received") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    for follower in [one, other] {
        replicas.replica(follower).spawn();
    }
    let began = Instant::now();
    while [one, other].iter().any(|i| sizes(&mut replicas, *i, "received").is_empty()) {
        assert!(began.elapsed() < DEADLINE, "invalid: there were never two transfers at once");
        std::thread::park_timeout(LOOK);
    }
    for follower in [one, other] {
        replicas.replica(follower).wait_until_ready();
    }
    replicas.wait_until_equal();
    let entries: Vec<_> = replicas.places().into_iter().map(|i| replicas.client(i).verify_audit()).collect();
    assert!(entries.iter().all(Result::is_ok), "{entries:?}");
}
