//! R13: two of three directories are lost. The third becomes a new cluster of
//! one that has everything; an old member that turns up is fenced; two fresh
//! replicas make it three again.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};
use system_tests::{Load, Plan, Sandbox, binary, until};

/// Writes that show that the load runs.
const SOME: usize = 50;
/// Configuration that cannot be right: sysexits(3), EX_CONFIG.
const NOT_OURS: i32 = 78;

fn recover(directory: &Path, more: &[&str]) -> (Output, String) {
    let mut command = Command::new(binary::path("pmctl"));
    command.args(["cluster", "recover", "--data-dir"]).arg(directory).args(more);
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, said)
}

#[test]
fn r13_one_directory_of_three_becomes_a_cluster_that_has_everything_and_old_members_are_fenced() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 3).joiners(&sandbox, 2).start();
    let load = Load::of(4).start(&replicas);
    load.wait_for_successes(SOME, "at the beginning");
    let _ = load.finish().is_good();
    replicas.wait_until_equal_at(&[0, 1, 2]);
    let (_, had) = replicas.digest(0).unwrap();

    // In use: refused, and nothing happens to it.
    let (output, said) = recover(replicas.replica(0).directory(), &["--yes"]);
    assert!(!output.status.success() && said.contains("in use"), "{said}");

    let old_member = sandbox.path().join("old-member");
    for place in 0..3 {
        replicas.kill(place);
    }
    replicas.copy_directory(1, &old_member);
    replicas.wipe(1);
    replicas.wipe(2);

    // Nobody says yes: it is shown, and nothing changes.
    let directory = replicas.replica(0).directory().to_owned();
    let (output, said) = recover(&directory, &[]);
    assert!(!output.status.success(), "{said}");
    for text in ["everything up to entry", "epoch 2", "turned away for good", "--yes"] {
        assert!(said.contains(text), "{text:?} is not in:\n{said}");
    }
    replicas.replica(0).spawn();
    until("it waits for the others, as before", || replicas.replica(0).said().contains("the registry is ready"));
    assert_eq!(replicas.status(0).map(|status| status.members.len()), Some(3));
    replicas.kill(0);

    let (output, said) = recover(&directory, &["--yes"]);
    assert!(output.status.success(), "{said}");
    assert!(directory.join("before-epoch-2/identity").is_file(), "what was there is kept");
    replicas.replica(0).spawn();
    replicas.replica(0).wait_until_ready();
    let status = replicas.status(0).unwrap();
    assert_eq!((status.id, status.leader_id, status.members.len()), (4, 4, 1));
    assert_eq!(replicas.digest(0).unwrap().1, had, "it has everything");
    assert_eq!(replicas.client(0).health().unwrap().epoch, 2);

    // An old member turns up.
    replicas.put_directory(1, &old_member);
    replicas.replica(1).spawn();
    replicas.replica(1).is_refused(&[NOT_OURS], &["fenced by epoch 2", "--join"]);
    assert_eq!(replicas.status(0).unwrap().leader_id, 4);

    // Three again.
    for (place, id) in [(3, 5), (4, 6)] {
        replicas.replica(place).set_arguments(&["--join=voter"]);
        replicas.replica(place).spawn();
        replicas.replica(place).wait_until_ready();
        assert_eq!(replicas.status(place).unwrap().id, id, "no old number comes back");
        until("it votes", || {
            let members = replicas.status(0).map(|status| status.members).unwrap_or_default();
            members.iter().any(|member| member.id == id && member.voter)
        });
    }
    let (_, has) = replicas.digest(0).unwrap();
    assert_eq!(has, had);
    replicas.client(0).run_program("after", "true", 0).unwrap();
    replicas.wait_until_equal_at(&[0, 3, 4]);
}
