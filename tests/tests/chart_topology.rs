//! The Helm chart's default values, running: `tests/python/chart/run_topology.py` does with the rendered objects what a kubelet
//! and the controllers would do, with a container of namespaces for each pod.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Stdio};
use system_tests::{Sandbox, binary, python};

/// Ten times what it takes: it is there for what hangs.
const LONGEST: &str = "800";

#[test]
fn what_the_chart_installs_runs_a_program_passes_helm_test_and_scales_to_five_and_back() {
    let sandbox = Sandbox::new();
    let script = binary::workspace_root().join("tests/python/chart/run_topology.py");
    let mut command = Command::new("timeout");
    command.args([LONGEST, "unshare", "--net", "--mount", "--propagation", "private"]);
    // Everything that it starts is in this namespace of processes, and ends with its first one.
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.arg(python::interpreter()).arg("-u").args([&script, &binary::profile_dir()]).arg(sandbox.path());
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    let output = command.output().expect("unshare is there");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}", output.status);
    println!("{said}");
}
