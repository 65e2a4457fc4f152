//! R01: the power of all replicas goes off at once, under load. Each comes
//! back with what its device held; every acknowledged write is there, once, and
//! the audit log has no hole.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Disk, Load, Plan, Replicas, Sandbox, until};

/// Writes that show that the load runs.
const SOME: usize = 60;
/// Room for two segments, the reserve, and a state.
const BYTES: u64 = 128 << 20;

fn disks(sandbox: &Sandbox, count: usize) -> Vec<Disk> {
    (0..count).map(|i| Disk::new(sandbox.path(), &format!("disk-{i}"), BYTES)).collect()
}

fn plan(sandbox: &Sandbox, disks: &[Disk]) -> Plan {
    let plan = Plan::new(sandbox, disks.len());
    disks.iter().enumerate().fold(plan, |plan, (i, disk)| plan.directory(i, &disk.path().join("data")))
}

/// All stand still, as they do when the power goes off; then they are gone,
/// and each device has what its file system had given to it.
fn power_cut(replicas: &mut Replicas, disks: &mut [Disk], name: &str) {
    for i in replicas.places() {
        replicas.pause(i);
    }
    let images: Vec<_> = disks.iter().enumerate().map(|(i, disk)| disk.image(&format!("{name}-{i}"))).collect();
    for (i, (disk, image)) in disks.iter_mut().zip(images).enumerate() {
        replicas.kill(i);
        disk.put(image);
    }
}

fn loses_nothing(count: usize) {
    let sandbox = Sandbox::new();
    let mut disks = disks(&sandbox, count);
    let mut replicas = plan(&sandbox, &disks).start();
    let load = Load::of(6).start(&replicas);
    for round in 0..2 {
        load.wait_for_successes(SOME, "before the power cut");
        power_cut(&mut replicas, &mut disks, &format!("cut-{round}"));
        for i in replicas.places() {
            replicas.replica(i).spawn();
        }
        for i in replicas.places() {
            replicas.replica(i).wait_until_ready();
        }
        load.wait_for_successes(SOME, "after the power cut");
    }
    let proof = load.finish().is_good();
    assert!(proof.unanswered > 0, "invalid: no client noticed a power cut");
    replicas.wait_until_equal();
    for i in replicas.places() {
        let entries = replicas.client(i).verify_audit().unwrap();
        assert!(entries >= proof.acknowledged as u64, "{entries} entries for {proof:?}");
    }
}

#[test]
fn r01_a_power_cut_of_one_replica_loses_nothing() {
    loses_nothing(1);
}

#[test]
fn r01_a_power_cut_of_all_three_replicas_loses_nothing() {
    loses_nothing(3);
}

/// The control: without a sync, what was acknowledged is not on the device.
/// If nothing were lost here, the tests above could not fail.
#[test]
fn r01_without_syncs_a_power_cut_loses_what_was_acknowledged() {
    const WRITES: usize = 30;
    let sandbox = Sandbox::new();
    let mut disks = disks(&sandbox, 1);
    let skipped = vec![("PM_FAIL_POINT".to_owned(), "sync:1:skip".to_owned())];
    let mut replicas = plan(&sandbox, &disks).environment(0, skipped).start();
    let acknowledged: Vec<String> = (0..WRITES).map(|number| format!("program-{number}")).collect();
    for name in &acknowledged {
        replicas.client(0).run_program(name, "exec sleep 1000", 0).unwrap();
    }
    power_cut(&mut replicas, &mut disks, "unsynced");
    replicas.replica(0).spawn();
    // It refuses a log that lacks what it once had, or it lacks it.
    until("it refuses its log, or serves", || {
        let replica = replicas.replica(0);
        !replica.is_running() || replica.is_ready()
    });
    if !replicas.replica(0).is_running() {
        return;
    }
    let lost = acknowledged.iter().filter(|name| !replicas.client(0).has_program(name).unwrap()).count();
    assert!(lost > 0, "invalid: all {WRITES} writes are there, though none was synced");
}
