//! R13 with certificates: a number keeps its certificate, and a recovery lets
//! each replica come back with its own.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Sandbox, Trusted, until};

/// Loses the directories of these replicas, which do not run.
fn wipe(sandbox: &Sandbox, replicas: &[usize]) {
    for n in replicas {
        std::fs::remove_dir_all(sandbox.path().join(format!("data-{n}"))).unwrap();
    }
}

/// Three replicas whose certificates are written down with their numbers.
fn certified(sandbox: &Sandbox) -> Trusted<'_> {
    let fleet = Trusted::started(sandbox, &[]);
    for n in 1..=3 {
        until("its certificate stands for its number", || {
            fleet.said(&format!("registry-{n}")).contains("its certificate stands for its number")
        });
    }
    fleet
}

fn votes(fleet: &Trusted<'_>, count: usize) -> bool {
    fleet.pmctl(&["cluster", "check"]).stdout.contains(&format!(" {count} vote"))
}

#[test]
fn r13_replicas_come_back_with_their_certificates_after_a_recovery_and_meet_again_after_restarts() {
    let sandbox = Sandbox::new();
    let mut fleet = certified(&sandbox);
    for n in 1..=3 {
        fleet.kill(&format!("registry-{n}"));
    }
    wipe(&sandbox, &[2, 3]);
    let directory = sandbox.file("data-1");
    let _ = sandbox.pmctl(&["cluster", "recover", "--data-dir", &directory, "--yes"]).succeeded();
    fleet.start_registry(1, &[]);
    until("it leads alone", || votes(&fleet, 1));
    fleet.start_registry(2, &["--join=voter"]);
    until("the second one votes", || votes(&fleet, 2));
    // Each has to be let in by the other, which knows by now whose certificates these were.
    for n in [1, 2] {
        fleet.kill(&format!("registry-{n}"));
        fleet.start_registry(n, &["--join=voter"]);
        until("they are two again", || fleet.pmctl(&["apply", "-f", &applied(&sandbox, n)]).code == 0);
    }
}

fn applied(sandbox: &Sandbox, n: usize) -> String {
    sandbox.write("one.yaml", &format!("version: 1\nprocesses:\n  one:\n    command: sleep {n}000\n"))
}

#[test]
fn r11_a_wiped_replica_that_shows_its_old_certificate_is_told_to_get_another_before_it_has_a_number() {
    let sandbox = Sandbox::new();
    let mut fleet = certified(&sandbox);
    fleet.kill("registry-3");
    wipe(&sandbox, &[3]);
    fleet.start_registry(3, &["--join"]);
    until("it is told", || {
        let said = fleet.said("registry-3");
        said.contains("certificate registry/registry-3 is that of replica") && said.contains("pmctl cluster issue")
    });
    let members = fleet.pmctl(&["cluster", "members", "-o", "name"]).succeeded();
    assert_eq!(members.lines().count(), 3, "no number was used up: {members}");
}
