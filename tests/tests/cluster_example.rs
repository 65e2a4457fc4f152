//! The example of a cluster does what its README says.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::Signal;
use std::process::Command;
use system_tests::{Beside, LONG, Outcome, Sandbox, binary, free_ports, proc, until};

/// A script of the example, run by itself in this sandbox.
fn script(sandbox: &Sandbox, name: &str) -> Command {
    // A shell cannot trap what was ignored when it began, as Ctrl-C is for whatever runs in the background.
    let mut command = Command::new("env");
    command.arg("--default-signal=INT").arg(binary::workspace_root().join("examples/cluster").join(name));
    command.env("PM_BIN", binary::profile_dir()).env("PM_CLUSTER_DIR", sandbox.file("cluster"));
    command.env("HOME", sandbox.path());
    command
}

/// It is told to end, and nothing of it is left.
fn ends(sandbox: &Sandbox, mut running: Beside) {
    proc::send(running.pid(), Signal::INT);
    assert_eq!(running.end(), Some(0), "{}", running.said());
    let place = sandbox.file("cluster");
    let ours = |pid: &u32| proc::is_running(*pid) && proc::arguments(*pid).iter().any(|word| word.contains(&place));
    let left: Vec<u32> = proc::all().into_iter().filter(ours).collect();
    assert!(left.is_empty(), "{left:?} still run");
}

fn is_up(running: &Beside, said: &str) {
    until(said, || {
        assert!(proc::is_running(running.pid()), "it ended: {}", running.said());
        running.said().contains(said)
    });
}

#[test]
fn the_example_starts_survives_kills_of_its_leader_and_ends_without_a_rest() {
    let sandbox = Sandbox::new();
    let port = free_ports(16).to_string();
    let running = Beside::run(&sandbox, "run.sh", script(&sandbox, "run.sh").env("PM_CLUSTER_PORT", &port));
    is_up(&running, "the cluster is up");
    let said = Outcome::within(LONG, script(&sandbox, "kill-leader.sh").arg("2")).succeeded();
    assert!(said.contains("nothing lost after 2 kills"), "{said}");
    assert!(running.said().contains("is started again"), "invalid: nobody was killed: {}", running.said());
    ends(&sandbox, running);
}

/// The network of a fleet, which goes also with a test that fails.
struct Network(String);

impl Drop for Network {
    fn drop(&mut self) {
        for n in 1..=3 {
            let _ = Command::new("ip").args(["netns", "del", &format!("{}-{n}", self.0)]).output();
        }
        let _ = Command::new("ip").args(["link", "del", &self.0]).output();
    }
}

#[test]
fn three_nodes_with_a_network_of_their_own_lose_one_and_keep_what_was_promised() {
    let sandbox = Sandbox::new();
    let port = free_ports(4).to_string();
    let name = format!("pmt{}", std::process::id() % 100_000);
    let network = Network(name.clone());
    let mut command = script(&sandbox, "fleet.sh");
    command.env("PM_CLUSTER_PORT", &port).env("PM_FLEET_NAME", &name).env("PM_FLEET_NET", "10.213.78");
    let running = Beside::run(&sandbox, "fleet.sh", &mut command);
    is_up(&running, "the fleet is up");
    let said = Outcome::within(LONG, &mut script(&sandbox, "lose-node.sh")).succeeded();
    assert!(said.contains("everything is as it was promised"), "{said}");
    for told in ["has been silent for its whole lease", "is placed elsewhere", "is back", "it is gone there"] {
        assert!(said.contains(told), "{told} is not told: {said}");
    }
    ends(&sandbox, running);
    let spaces = Outcome::of(Command::new("ip").args(["netns", "list"])).succeeded();
    assert!(!spaces.contains(&name), "{spaces}");
    drop(network);
}
