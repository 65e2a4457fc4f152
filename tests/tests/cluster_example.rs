//! The example of a cluster does what its README says.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::Signal;
use std::process::Command;
use system_tests::{Beside, Outcome, Sandbox, binary, free_ports, proc, until};

#[test]
fn the_example_starts_survives_kills_of_its_leader_and_ends_without_a_rest() {
    let sandbox = Sandbox::new();
    let folder = binary::workspace_root().join("examples/cluster");
    let script = |name: &str| {
        // A shell cannot trap what was ignored when it began, as Ctrl-C is for whatever runs in the background.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT").arg(folder.join(name));
        command.env("PM_BIN", binary::profile_dir()).env("PM_CLUSTER_DIR", sandbox.file("cluster"));
        command.env("HOME", sandbox.path());
        command
    };
    let port = free_ports(16).to_string();
    let mut running = Beside::run(&sandbox, "run.sh", script("run.sh").env("PM_CLUSTER_PORT", &port));
    until("the example is up", || {
        assert!(proc::is_running(running.pid()), "it ended: {}", running.said());
        running.said().contains("the cluster is up")
    });
    let said = Outcome::of(script("kill-leader.sh").arg("2")).succeeded();
    assert!(said.contains("nothing lost after 2 kills"), "{said}");
    assert!(running.said().contains("is started again"), "invalid: nobody was killed: {}", running.said());

    proc::send(running.pid(), Signal::INT);
    assert_eq!(running.end(), Some(0), "{}", running.said());
    let place = sandbox.file("cluster");
    let ours = |pid: &u32| proc::is_running(*pid) && proc::arguments(*pid).iter().any(|word| word.contains(&place));
    let left: Vec<u32> = proc::all().into_iter().filter(ours).collect();
    assert!(left.is_empty(), "{left:?} still run");
}
