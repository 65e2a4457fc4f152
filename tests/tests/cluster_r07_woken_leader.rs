//! R07, a node's half: the leader that a runner talks to stands still for
//! longer than an election, and goes on. What it says from then on moves
//! nothing on the node; and the silence that it found when it awoke, which was
//! its own, is nobody's loss.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::Instance;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use system_tests::{Beside, Plan, RegistryClient, Sandbox, TermWatch, proc, rounds, until};

/// Of nodes: longer than an election and a way to whoever was elected.
const LEASE: Duration = Duration::from_secs(4);

/// Programs that run, by the generation that they run and their process ids.
fn running(client: &RegistryClient) -> BTreeMap<String, u32> {
    let running = |instance: &Instance| instance.pid != 0;
    client.instances().unwrap_or_default().into_iter().filter(running).map(|i| (i.id, i.pid)).collect()
}

#[test]
fn r07_a_leader_that_was_paused_gives_a_node_no_old_order() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 3).arguments(&["--heartbeat-interval", "1s", "--lease", "4s"]).start();
    let (token, state, logs) = (sandbox.file("service.token"), sandbox.file("runner"), sandbox.file("logs"));
    let addresses = replicas.addresses();
    let words = ["--registry", &addresses, "--monitor", "http://127.0.0.1:9", "--node", "node-a"];
    let places = ["--state-dir", &state, "--log-dir", &logs, "--service-token-file", &token];
    let ports = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let runner = Beside::start(&sandbox, "runner", "runner-svc", &[&words[..], &places, &ports].concat());
    let terms = TermWatch::start(&replicas);
    let leader = replicas.wait_for_leader();
    replicas.client(leader).run_program("stays", "exec sleep 1000", 2).unwrap();
    replicas.client(leader).run_program("changes", "exec sleep 999", 1).unwrap();
    until("three programs run", || running(replicas.client(leader)).len() == 3);

    for round in 0..rounds(2) {
        let leader = replicas.wait_for_leader();
        let (term, before) = (replicas.term(), running(replicas.client(leader)));
        replicas.pause(leader);
        let paused = Instant::now();
        let next = replicas.wait_for_leader_other_than(Some(leader));
        assert!(replicas.term() > term, "invalid: nobody else was elected");
        // The node hears of the new term, by an order.
        let command = format!("exec sleep {}", 2_000 + round);
        replicas.patient_client(next).run_program("changes", &command, 1).unwrap();
        let changed =
            || running(replicas.client(next)).get("changes-1").copied().filter(|pid| *pid != before["changes-1"]);
        until("the program runs as it was changed", || changed().is_some());
        let after = running(replicas.client(next));

        // When it awakes, it has heard of nobody for longer than any lease.
        until("its leases are over", || paused.elapsed() > LEASE + LEASE / 4);
        replicas.cont(leader);
        until("the old leader follows", || {
            replicas.status(leader).is_some_and(|status| status.term > term && status.leader_id != status.id)
        });
        // Whatever it said meanwhile came before what is asked for now.
        let replicas_now = replicas.wait_for_leader();
        replicas.client(replicas_now).run_program(&format!("new-{round}"), "exec sleep 1000", 1).unwrap();
        until("a new program runs", || running(replicas.client(next)).contains_key(&format!("new-{round}-1")));
        let now = running(replicas.client(next));
        assert!(after.iter().all(|(id, pid)| now.get(id) == Some(pid)), "{after:?}, and then {now:?}");
        assert!(after.values().all(|pid| proc::is_running(*pid)), "{after:?}");
        assert!(["stays-1", "stays-2"].iter().all(|id| now[*id] == before[*id]), "{before:?}, and then {now:?}");
    }
    let leader = replicas.wait_for_leader();
    let events = replicas.client(leader).all_events().unwrap();
    let losses: Vec<_> = events.iter().filter(|event| event.r#type == "node.lost").collect();
    assert!(losses.is_empty(), "the node was there all the time, and heard by somebody: {losses:?}");
    let _ = terms.finish();
    assert!(!runner.said().contains("panicked"), "{}", runner.said());
}
