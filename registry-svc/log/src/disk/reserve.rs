//! A file that only takes room.

use super::directory::remove_if_there;
use super::{Directory, allocate};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// The reserve of a log.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
}

impl Reserve {
    pub(crate) fn new(directory: &Directory, bytes: u64) -> Self {
        Self { path: directory.reserve(), bytes }
    }

    /// Whether it takes its room. It is made whole or not at all, except by a
    /// crash, which leaves an empty file.
    pub(crate) fn is_there(&self) -> bool {
        self.bytes == 0 || self.path.metadata().is_ok_and(|found| found.len() == self.bytes)
    }

    /// Takes the room.
    pub(crate) fn take(&self) -> io::Result<()> {
        let file: File = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&self.path)?;
        let taken = allocate(&file, self.bytes);
        if taken.is_err() {
            remove_if_there(&self.path)?;
        }
        taken
    }

    /// Gives the room back; returns whether there was some.
    pub(crate) fn give_up(&self) -> io::Result<bool> {
        let was_there = self.bytes > 0 && self.path.exists();
        remove_if_there(&self.path)?;
        Ok(was_there)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}
