//! The power goes off right after a snapshot was said to be durable: the log
//! before it may be gone by then.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod place;
mod replica;

use registry_consensus::Machine;
use registry_svc::machine::Pace;
use replica::disk::Disk;
use replica::*;
use std::time::Duration;

/// Nothing is written unless it is asked for.
const NEVER: Pace = Pace {
    every: Duration::from_secs(3600),
    rows: usize::MAX,
    at_once: 4_096,
    at_once_of_few: 4_096,
    rest: 0,
    longest_rest: Duration::ZERO,
    first_rest: Duration::ZERO,
};

#[tokio::test]
async fn a_power_cut_after_a_snapshot_leaves_it() {
    let disk = Disk::new(48 << 20);
    let machine = open_with(&disk.path, NEVER);
    for upto in [60, 130] {
        apply_upto(&machine, upto);
        machine.take_snapshot().await.unwrap();
        for with_rows in [true, false] {
            let after = disk.after_power_cut();
            if !with_rows {
                std::fs::remove_dir_all(after.path.join("state")).unwrap();
            }
            let again = open(&after.path);
            assert_eq!(index(&again), Some(upto), "after a power cut, with rows: {with_rows}");
            is_at(&again, upto);
            again.close();
        }
    }
    machine.close();
}

#[tokio::test]
async fn a_power_cut_after_an_installed_snapshot_leaves_it() {
    let dir = place::real_disk();
    let leader = open(dir.path());
    apply_upto(&leader, 90);
    let snapshot = leader.take_snapshot().await.unwrap();
    let disk = Disk::new(48 << 20);
    let follower = open_with(&disk.path, NEVER);
    let mut sink = follower.receive_snapshot(&snapshot.meta, snapshot.source.len()).unwrap();
    sink.append(&bytes(&snapshot)).unwrap();
    follower.install_snapshot(sink.finish().unwrap()).await.unwrap();
    let after = disk.after_power_cut();
    let again = open(&after.path);
    assert_eq!(index(&again), Some(90), "after a power cut");
    is_at(&again, 90);
    again.close();
    follower.close();
    leader.close();
}
