//! Real-time scheduling for short bursts: without it the tail of a restart
//! measures who else runs on the machine, on both sides alike.

use std::process::{Command, Stdio};

/// Puts processes with all their threads, and so what they start, under
/// round-robin scheduling. False where that is not allowed.
pub(crate) fn raise(pids: &[u32]) -> bool {
    pids.iter().all(|pid| {
        let mut command = Command::new("chrt");
        command.args(["--all-tasks", "--rr", "--pid", "1", &pid.to_string()]);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    })
}
