//! Faults in the system calls of a running process, by strace: a sync that
//! takes its time or fails. Ends, and the process goes on, when it is dropped.

use crate::{DEADLINE, Lines, proc};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running injection.
pub struct Injection {
    strace: Child,
    trace: PathBuf,
}

impl Injection {
    /// Injects into all threads of a process from now on. A rule is as of
    /// strace(1): `fdatasync:delay_exit=500000`, `fdatasync:error=EIO:when=1`.
    /// `folder` takes the trace.
    ///
    /// # Panics
    /// When strace is not there or may not attach, with the reason.
    #[must_use]
    pub fn into(pid: u32, rule: &str, folder: &Path) -> Self {
        let call = rule.split(':').next().expect("a rule begins with its system call");
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let trace = folder.join(format!("strace-{pid}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &pid.to_string(), "-e", &format!("trace={call}"), "-e", "signal=none"]);
        command.args(["-e", &format!("inject={rule}"), "-o"]).arg(&trace);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let spawned = command.spawn();
        let mut strace = spawned.unwrap_or_else(|error| panic!("not available here: strace: {error}"));
        let said = Lines::of(strace.stderr.take().unwrap());
        if said.find(DEADLINE, |line| line.contains("attached")).is_none() {
            let _ = strace.kill();
            let _ = strace.wait();
            panic!("not available here: strace cannot attach to {pid}: {}", said.text());
        }
        Self { strace, trace }
    }

    /// How often it has struck.
    #[must_use]
    pub fn hits(&self) -> usize {
        // A call that another thread's line interrupts is told in two; the
        // word is in the second only.
        let text = std::fs::read_to_string(&self.trace).unwrap_or_default();
        text.lines().filter(|line| line.contains("(DELAYED)") || line.contains("(INJECTED)")).count()
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        // Asked to end, it lets go of the process; killed, it might not.
        proc::send(self.strace.id(), Signal::INT);
        let _ = self.strace.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sandbox, until};
    use std::time::{Duration, Instant};

    /// A program that syncs a file and says `ok` or `failed`, once for each
    /// line that it reads.
    struct Syncer(Child, Lines);

    impl Syncer {
        fn start(sandbox: &Sandbox) -> Self {
            let script = format!("while read go; do sync -d {} && echo ok || echo failed; done", sandbox.file("f"));
            let _ = sandbox.write("f", "x");
            let mut command = Command::new("sh");
            let mut child = command
                .args(["-c", &script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let said = Lines::of(child.stdout.take().unwrap());
            Self(child, said)
        }

        fn sync(&mut self) {
            std::io::Write::write_all(self.0.stdin.as_mut().unwrap(), b"go\n").unwrap();
        }
    }

    impl Drop for Syncer {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_sync_fails_when_it_shall_and_works_again_afterwards() {
        let sandbox = Sandbox::new();
        let mut syncer = Syncer::start(&sandbox);
        let injection = Injection::into(syncer.0.id(), "fdatasync:error=EIO:when=1", sandbox.path());
        syncer.sync();
        let _ = syncer.1.wait_for("failed");
        until("the trace tells of it", || injection.hits() == 1);
        drop(injection);
        syncer.sync();
        let _ = syncer.1.wait_for("ok");
    }

    #[test]
    fn a_sync_takes_as_long_as_it_shall() {
        let sandbox = Sandbox::new();
        let mut syncer = Syncer::start(&sandbox);
        let injection = Injection::into(syncer.0.id(), "fdatasync:delay_exit=400000", sandbox.path());
        let began = Instant::now();
        syncer.sync();
        let _ = syncer.1.wait_for("ok");
        assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
        until("the trace tells of it", || injection.hits() == 1);
    }
}
