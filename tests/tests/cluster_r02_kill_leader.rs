//! R02: kill -9 of the leader in a loop, under load. Nothing acknowledged is
//! lost, nothing is done twice, clients go on soon, programs notice nothing.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::Instance;
use std::collections::BTreeMap;
use system_tests::{Beside, Bound, Dice, Load, RegistryClient, Replicas, Sandbox, TermWatch, proc, rounds, until};

/// Writes that show that the load runs.
const SOME: usize = 40;
/// From the last success before the kill to the first one after it.
const FELT: Bound = Bound::of_millis(500);

/// Programs that a node runs, by the process id of each.
fn running(client: &RegistryClient) -> BTreeMap<String, u32> {
    let running = |instance: &Instance| instance.pid != 0;
    client.instances().unwrap_or_default().into_iter().filter(running).map(|i| (i.id, i.pid)).collect()
}

#[test]
fn r02_kills_of_the_leader_lose_nothing_and_leave_programs_alone() {
    let sandbox = Sandbox::new();
    let mut dice = Dice::of_run("r02");
    let mut replicas = Replicas::start(&sandbox, 3);
    let (token, state, logs) = (sandbox.file("service.token"), sandbox.file("runner"), sandbox.file("logs"));
    let addresses = replicas.addresses();
    let words = ["--registry", &addresses, "--monitor", "http://127.0.0.1:9", "--node", "node-a"];
    let places = ["--state-dir", &state, "--log-dir", &logs, "--service-token-file", &token];
    let ports = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let _runner = Beside::start(&sandbox, "runner", "runner-svc", &[&words[..], &places, &ports].concat());
    replicas.client(0).run_program("sleeper", "exec sleep 1000", 3).unwrap();
    until("three programs run", || running(replicas.client(0)).len() == 3);
    let before = running(replicas.client(0));

    let terms = TermWatch::start(&replicas);
    let load = Load::of(8).seeded(&mut dice).start(&replicas);
    let mut felt = Vec::new();
    for _ in 0..rounds(6) {
        load.wait_for_successes(SOME, "before the kill");
        let (leader, term) = (replicas.wait_for_leader(), replicas.term());
        let killed = load.now();
        replicas.kill(leader);
        let next = replicas.wait_for_leader_other_than(Some(leader));
        load.wait_for_successes(SOME, "after the kill");
        felt.push((killed, load.now()));
        assert!(next != leader && replicas.term() > term, "invalid: nobody else was elected");
        replicas.restart(leader);
    }
    let record = load.finish();
    let proof = record.is_good();
    assert!(proof.unanswered > 0, "invalid: no client noticed a kill");
    let without = felt.iter().map(|(from, to)| record.gaps().longest_within(*from, *to));
    FELT.holds_mostly("r02: the longest time without success after each kill", without);
    assert!(terms.finish() >= felt.len(), "invalid: too few terms had a leader");
    replicas.wait_until_equal();
    assert_eq!(running(replicas.client(0)), before);
    assert!(before.values().all(|pid| proc::is_running(*pid)), "{before:?}");
}
