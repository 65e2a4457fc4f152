//! The harness of the cluster's proof, tried on a cluster of one: each fault
//! really happens to a real registry, the load really runs under it, and a
//! registry that loses, doubles or forgets is found out.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;
use system_tests::{
    Beside, Bound, Disk, Injection, Load, Net, Plan, Proxy, Record, Replicas, Sandbox, TermWatch, Wire, clock, until,
};

/// Writes that show that a load runs.
const SOME: usize = 20;

fn load(replicas: &Replicas) -> system_tests::Workload {
    Load::of(8).start(replicas)
}

#[test]
fn a_load_of_large_values_fills_a_log() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 1);
    let used = |replicas: &mut Replicas| {
        let words = ["-sb", replicas.replica(0).directory().to_str().unwrap()];
        let said = system_tests::Outcome::of(std::process::Command::new("du").args(words)).succeeded();
        said.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let before = used(&mut replicas);
    let load = Load { bytes: 32 << 10, ..Load::of(4) }.start(&replicas);
    // More than a segment of the log, which takes its room before it is written.
    load.wait_for_successes(800, "large values");
    assert!(used(&mut replicas) > before + (2 << 20), "{before} {}", used(&mut replicas));
    let _ = load.finish().is_good();
}

#[test]
fn a_load_over_kills_loses_and_doubles_nothing() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 1);
    let (load, terms) = (load(&replicas), TermWatch::start(&replicas));
    for _ in 0..3 {
        load.wait_for_successes(SOME, "before the kill");
        replicas.kill(0);
        let killed = load.now();
        replicas.restart(0);
        assert_eq!(replicas.wait_for_leader(), 0);
        let felt = load.wait_for_success_since(killed, "after the restart");
        Bound::of_millis(15_000).holds("kill and restart", felt);
    }
    assert!(terms.finish() > 0, "nobody was seen to lead");
    let record = load.finish();
    let proof = record.is_good();
    assert!(proof.unanswered > 0, "nobody noticed three kills: {record}");
    replicas.wait_until_equal();
}

/// What a load leaves when this happens in its middle.
fn record_over(damage: impl FnOnce(&Sandbox, &mut Replicas)) -> Record {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 1);
    let early = sandbox.path().join("early");
    let load = Load { keys: 2, ..Load::of(4) }.start(&replicas);
    load.wait_for_successes(SOME, "before the copy");
    replicas.kill(0);
    replicas.copy_directory(0, &early);
    replicas.restart(0);
    load.wait_for_successes(SOME, "after the copy");
    replicas.kill(0);
    damage(&sandbox, &mut replicas);
    replicas.restart(0);
    load.wait_for_successes(SOME, "after the damage");
    load.finish()
}

#[test]
fn a_registry_that_came_back_empty_is_found_out() {
    let record = record_over(|_, replicas| replicas.wipe(0));
    let broken = record.verdict().unwrap_err();
    assert!(broken.contains("was changed"), "{broken}");
}

#[test]
fn a_registry_that_came_back_as_it_was_earlier_is_found_out() {
    let record = record_over(|sandbox, replicas| replicas.put_directory(0, &sandbox.path().join("early")));
    let broken = record.verdict().unwrap_err();
    assert!(broken.contains("was changed"), "{broken}");
}

#[test]
fn a_registry_that_only_restarted_is_not_found_guilty() {
    let record = record_over(|_, _| {});
    let _ = record.is_good();
}

#[test]
fn a_paused_replica_answers_nobody_until_it_goes_on() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 1);
    let load = load(&replicas);
    load.wait_for_successes(SOME, "before the pause");
    replicas.pause(0);
    let paused = load.now();
    assert_eq!(replicas.status(0), None);
    let going_on = load.now();
    replicas.cont(0);
    let _ = load.wait_for_success_since(going_on, "after the pause");
    let record = load.finish();
    let _ = record.is_good();
    // Not all of it: an answer that was under way may have come in after the pause began.
    let least = Duration::from_nanos(going_on - paused) / 2;
    assert!(record.gaps().longest_within(paused, going_on) >= least, "{least:?}: {record}");
}

#[test]
fn a_stopped_replica_ends_in_order_and_what_it_said_is_kept() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 1);
    let end = replicas.stop(0);
    assert_eq!(end.code, 0, "{}", end.said);
    assert!(end.said.contains("ready"), "{}", end.said);
    assert!(replicas.running().is_empty() && replicas.leader().is_none());
}

#[test]
fn a_replica_in_a_network_of_its_own_can_be_cut_off_and_slowed_down() {
    let sandbox = Sandbox::new();
    let net = Net::new(2);
    let mut replicas = Plan::in_spaces(&sandbox, &net, 1).start();
    let load = load(&replicas);
    load.wait_for_successes(SOME, "on a network");
    net.link_down(0);
    let cut = load.now();
    assert_eq!(replicas.status(0), None);
    let whole = load.now();
    net.link_up(0);
    let _ = load.wait_for_success_since(whole, "the cable is back");
    let record = load.finish();
    let _ = record.is_good();
    let least = Duration::from_nanos(whole - cut) / 2;
    assert!(record.gaps().longest_within(cut, whole) >= least, "{least:?}: {record}");

    // As a peer in the other space would be led.
    let address = replicas.replica(0).url().trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::start((net.outside(), 0).into(), address);
    proxy.set(Wire::Open { delay: Duration::from_millis(50), jitter: Duration::from_millis(20) });
    net.detour(1, 0, address.port(), proxy.address().port());
    let mut words = net.enter(1);
    words.extend(["perl", "-MIO::Socket", "-e"].map(str::to_owned));
    words.push(format!("IO::Socket::INET->new(PeerAddr => '{}', PeerPort => {}) or die", address.ip(), address.port()));
    let _ = system_tests::Outcome::of(std::process::Command::new(&words[0]).args(&words[1..])).succeeded();
    until("the proxy was dialled", || proxy.connections() == 1);
}

#[test]
fn a_full_disk_is_felt_and_what_was_acknowledged_outlasts_it() {
    let sandbox = Sandbox::new();
    let disk = Disk::new(sandbox.path(), "disk", 96 << 20);
    let mut replicas = Plan::new(&sandbox, 1).directory(0, &disk.path().join("data")).start();
    let load = load(&replicas);
    load.wait_for_successes(SOME, "before the disk is full");
    let ballast = disk.fill(0);
    // It may end or refuse; it must not hang.
    until("the full disk is felt", || {
        !replicas.replica(0).is_running() || load.outcomes().contains_key("write: ResourceExhausted")
    });
    drop(ballast);
    if !replicas.replica(0).is_running() {
        replicas.restart(0);
    }
    load.wait_for_successes(SOME, "after there is room again");
    let _ = load.finish().is_good();
}

#[test]
fn a_sync_that_fails_ends_the_process_and_loses_nothing() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 1);
    let load = load(&replicas);
    load.wait_for_successes(SOME, "before the fault");
    let call = "fdatasync:error=EIO:when=1";
    let injection = Injection::into(replicas.replica(0).pid(), call, sandbox.path());
    let end = replicas.replica(0).wait_for_end(system_tests::DEADLINE);
    assert!(injection.hits() > 0 && end.code != 0, "{} {}", injection.hits(), end.code);
    drop(injection);
    replicas.restart(0);
    load.wait_for_successes(SOME, "after the restart");
    let _ = load.finish().is_good();
}

#[test]
fn a_sync_that_takes_long_is_felt() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 1);
    let load = load(&replicas);
    load.wait_for_successes(SOME, "before the fault");
    let injection = Injection::into(replicas.replica(0).pid(), "fdatasync:delay_exit=700000", sandbox.path());
    until("two slow syncs", || injection.hits() >= 2);
    // They may be those of the marks beside the log; what is answered from now on waited for one of its own.
    load.wait_for_successes(16, "under the fault");
    let slow = load.now();
    drop(injection);
    load.wait_for_successes(SOME, "after the fault");
    let record = load.finish();
    let _ = record.is_good();
    // Not all of it: the answer before may have been taken up late.
    assert!(record.gaps().longest_within(0, slow) >= Duration::from_millis(350), "{record}");
}

#[test]
fn a_program_is_defined_and_run_by_a_runner_beside_the_replicas() {
    let sandbox = Sandbox::new();
    let replicas = Replicas::start(&sandbox, 1);
    let (token, state, logs) = (sandbox.file("service.token"), sandbox.file("runner"), sandbox.file("logs"));
    let addresses = replicas.addresses();
    let words = ["--registry", &addresses, "--monitor", "http://127.0.0.1:9", "--node", "node-a"];
    let places = ["--state-dir", &state, "--log-dir", &logs, "--service-token-file", &token];
    let ports = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let _runner = Beside::start(&sandbox, "runner", "runner-svc", &[&words[..], &places, &ports].concat());
    let client = replicas.client(0);
    assert!(!client.has_program("sleeper").unwrap());
    client.run_program("sleeper", "exec sleep 1000", 2).unwrap();
    assert!(client.has_program("sleeper").unwrap());
    until("two programs run", || client.instances().unwrap().iter().filter(|instance| instance.pid != 0).count() == 2);
}

#[test]
fn a_wrong_clock_reaches_the_registry() {
    let sandbox = Sandbox::new();
    let replicas = Plan::new(&sandbox, 1).environment(0, clock::skewed("-1d")).start();
    let load = load(&replicas);
    load.wait_for_successes(1, "with a wrong clock");
    let _ = load.finish().is_good();
    let entries = replicas.client(0).audit().unwrap();
    let newest = entries.iter().find(|entry| !entry.request_id.is_empty()).and_then(|entry| entry.time).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let behind = i64::try_from(now.as_secs()).unwrap() - newest.seconds;
    assert!((86_000..87_000).contains(&behind), "{behind} s");
}

#[test]
fn nothing_of_a_cluster_outlives_a_test_that_panics() {
    let sandbox = Sandbox::new();
    let pid = std::sync::Mutex::new(0);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut replicas = Replicas::start(&sandbox, 1);
        *pid.lock().unwrap() = replicas.replica(0).pid();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    let pid = *pid.lock().unwrap();
    assert!(pid != 0 && !system_tests::proc::is_running(pid));
}
