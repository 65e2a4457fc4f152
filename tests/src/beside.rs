//! A program beside the replicas, as a runner or a gateway is one. Its log is
//! a file in the sandbox; it is killed when it is dropped.

use crate::{Sandbox, binary};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running program.
pub struct Beside {
    child: Child,
    log: PathBuf,
}

impl Beside {
    /// Starts a program of the workspace; `name` is for its log.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(sandbox: &Sandbox, name: &str, program: &str, words: &[&str]) -> Self {
        let mut command = Command::new(binary::path(program));
        Self::run(sandbox, name, command.args(words))
    }

    /// Starts any command. Our own settings (`PM_…`) reach it only if the
    /// command says them.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(sandbox: &Sandbox, name: &str, command: &mut Command) -> Self {
        let log = sandbox.path().join(format!("{name}.log"));
        let file: File = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let said: BTreeSet<OsString> = command.get_envs().map(|(variable, _)| variable.to_owned()).collect();
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("PM_") && !said.contains(&variable) {
                command.env_remove(&variable);
            }
        }
        command.current_dir(sandbox.path()).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { child, log }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits for its end; its exit code, or 128 + the signal. None when it has
    /// not ended within the deadline.
    pub fn end(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt as _;
        if !crate::outcome::ends_within(&self.child, crate::DEADLINE) {
            return None;
        }
        let status = self.child.wait().ok()?;
        Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = self.said();
            let skipped = said.lines().count().saturating_sub(40);
            let last: Vec<&str> = said.lines().skip(skipped).collect();
            println!("--- the last of {}\n{}", self.log.display(), last.join("\n"));
        }
    }
}
