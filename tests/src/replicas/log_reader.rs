//! Who reads what a replica logs, and may stop reading: a paused `journald`, a
//! terminal with Ctrl-S.

use crate::proc;
use rustix::process::Signal;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command};

/// `cat`, between a replica's stderr and its log. Killed when it is dropped.
pub struct LogReader(Child);

impl LogReader {
    /// Reads what comes through `pipe`, which it makes, into `log`.
    pub(super) fn start(pipe: &Path, log: &Path) -> Self {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success(), "mkfifo {}", pipe.display());
        let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
        Self(Command::new("cat").arg(pipe).stdout(log).spawn().unwrap())
    }

    /// SIGSTOP; returns when it reads no more.
    pub fn pause(&self) {
        proc::pause(self.0.id());
    }

    /// SIGCONT.
    pub fn cont(&self) {
        proc::send(self.0.id(), Signal::CONT);
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
