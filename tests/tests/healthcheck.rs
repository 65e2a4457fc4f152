//! `SERVICE healthcheck`, which containers ask: ready, not ready, not there.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;
use system_tests::{Outcome, Plan, Sandbox, binary, free_ports, until};

fn asked(program: &str, variable: &str, address: &str, words: &[&str]) -> Outcome {
    Outcome::of(Command::new(binary::path(program)).env(variable, address).arg("healthcheck").args(words))
}

#[test]
fn a_service_that_is_not_there_is_unwell_and_the_address_is_told() {
    let address = format!("127.0.0.1:{}", free_ports(1));
    for (program, variable) in [
        ("registry-svc", "PM_REGISTRY_OPS_LISTEN"),
        ("monitor-svc", "PM_MONITOR_OPS_LISTEN"),
        ("gateway", "PM_GATEWAY_OPS_LISTEN"),
        ("runner-svc", "PM_RUNNER_OPS_LISTEN"),
    ] {
        let outcome = asked(program, variable, &address, &[]);
        outcome.failed(1, &[&format!("nobody answers at {address}"), "--ops-listen"]);
    }
}

#[test]
fn a_replica_that_waits_for_the_others_lives_and_is_not_ready_and_then_it_is() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 3).made();
    replicas.replica(0).spawn();
    let ops = replicas.replica(0).ops();
    let everywhere = ops.replace("127.0.0.1", "0.0.0.0");
    let ask = |words: &[&str]| asked("registry-svc", "PM_REGISTRY_OPS_LISTEN", &everywhere, words);
    until("it lives", || ask(&["--live"]).code == 0);
    // Other than lost patience: that is the machine's word, not the replica's.
    let mut said = ask(&[]);
    until("it answers in time", || {
        said = ask(&[]);
        !said.stderr.contains("no answer within 3 s")
    });
    said.failed(1, &["it is not ready", &format!("http://{ops}/readyz")]);
    replicas.replica(1).spawn();
    replicas.replica(2).spawn();
    until("it is ready", || ask(&[]).code == 0);
    // Paused it answers nothing, and nobody waits for ever.
    replicas.pause(0);
    ask(&["--live"]).failed(1, &["no answer within 3 s"]);
    replicas.cont(0);
}
