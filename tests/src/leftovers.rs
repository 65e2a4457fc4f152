//! Finds and ends what a test left running: whatever was started in its folder
//! (its environment, arguments, working directory or open files are there),
//! and everything below that.

use crate::proc;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Who has not ended so long after SIGKILL does not.
const STUCK: Duration = Duration::from_secs(20);

/// Ends all of it with SIGKILL, until nothing is found any more.
pub(crate) fn end(folder: &Path) {
    // Each round ends what it finds; what a killed parent had just started
    // is found by the next, and so is who waits for a processor to end. The
    // bound keeps a stuck one from blocking us.
    let began = Instant::now();
    while began.elapsed() < STUCK {
        let found = find(folder);
        if found.is_empty() {
            return;
        }
        found.into_iter().for_each(proc::kill_9);
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn find(folder: &Path) -> BTreeSet<u32> {
    let this = std::process::id();
    let is_other = |pid: &u32| *pid != this && proc::is_running(*pid);
    let mut found: BTreeSet<u32> =
        proc::all().into_iter().filter(|pid| is_other(pid) && belongs(*pid, folder)).collect();
    found.extend(proc::below(found.iter().copied()).into_iter().filter(is_other));
    found
}

fn belongs(pid: u32, folder: &Path) -> bool {
    let name = folder.as_os_str().as_bytes();
    let mentions = |file: &str| {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        bytes.windows(name.len()).any(|window| window == name)
    };
    let points = |link: &Path| std::fs::read_link(link).is_ok_and(|path| path.starts_with(folder));
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    mentions("environ")
        || mentions("cmdline")
        || points(Path::new(&format!("/proc/{pid}/cwd")))
        || descriptors.filter_map(Result::ok).any(|entry| points(&entry.path()))
}

#[cfg(test)]
mod tests {
    use crate::{Sandbox, proc};
    use std::process::{Command, Stdio};

    #[test]
    fn a_sandbox_takes_a_detached_tree_with_it() {
        let sandbox = Sandbox::new();
        let mut shell = Command::new("sh");
        shell.args(["-c", "setsid sleep 1000 & echo $!; exec sleep 1000"]).current_dir(sandbox.path());
        let mut child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let said = crate::Lines::of(child.stdout.take().unwrap());
        let detached: u32 = said.wait_for("").parse().unwrap();
        assert!(proc::is_running(detached) && proc::is_running(child.id()));
        drop(sandbox);
        assert!(!proc::is_running(detached) && !proc::is_running(child.id()));
        child.wait().unwrap();
    }
}
