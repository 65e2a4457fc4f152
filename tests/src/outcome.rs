//! A command that is run to its end, in bounded time.

use crate::Lines;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code, or 128 + the signal that ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    shown: String,
}

impl Outcome {
    /// Runs `command` without standard input and waits for its end.
    ///
    /// # Panics
    /// When it cannot be run, or has not ended within the deadline.
    #[must_use]
    pub fn of(command: &mut Command) -> Self {
        Self::within(crate::DEADLINE, command)
    }

    /// The same for a command that takes long by itself, as an installation or a whole story.
    ///
    /// # Panics
    /// When it cannot be run, or has not ended within this time.
    #[must_use]
    pub fn within(wait: Duration, command: &mut Command) -> Self {
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {shown}: {error}"));
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        if !ends_within(&child, wait) {
            let _ = child.kill();
            panic!("{shown} has not ended within {wait:?}\n{}{}", stdout.text(), stderr.text());
        }
        let status = child.wait().unwrap();
        // What it left running may hold its outputs open for ever; what it
        // wrote itself is there at once.
        let grace = Duration::from_secs(2);
        let _ = stdout.ended_within(grace) && stderr.ended_within(grace);
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        Self { code, stdout: stdout.text(), stderr: stderr.text(), shown }
    }

    /// Demands success and returns standard output.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    #[must_use]
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, 0, "{self}");
        self.stdout
    }

    /// Demands this exit code and each of these texts on standard error.
    ///
    /// # Panics
    /// When it ended otherwise.
    #[track_caller]
    pub fn failed(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{self}");
        for text in texts {
            assert!(
                self.stderr.to_lowercase().contains(&text.to_lowercase()),
                "{text:?} is not in standard error of {self}"
            );
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nended with {}\nstdout:\n{}stderr:\n{}", self.shown, self.code, self.stdout, self.stderr)
    }
}

/// Waits for the end of a child without reaping it; false when `wait` is over
/// before.
#[must_use]
pub(crate) fn ends_within(child: &Child, wait: Duration) -> bool {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("a child that is not reaped can be opened");
    crate::proc::readable_within(&pidfd, wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_both_outputs_are_kept() {
        let outcome = Outcome::of(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]));
        assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (3, "out\n", "err\n"));
        outcome.failed(3, &["ERR"]);
    }

    #[test]
    fn a_signal_is_told_as_a_shell_tells_it() {
        assert_eq!(Outcome::of(Command::new("sh").args(["-c", "kill -9 $$"])).code, 137);
    }
}
