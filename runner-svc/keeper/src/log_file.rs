//! A log file: bytes as the program wrote them, appended. When the disk does
//! not take them, the program is not held up: the bytes are counted and a line
//! in the file tells how many are missing.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

#[derive(Debug)]
pub(crate) struct LogFile {
    file: File,
    /// Bytes that could not be written since the last that could.
    dropped: u64,
    /// Why.
    reason: Option<io::Error>,
}

impl LogFile {
    /// Opens the file for appending; makes it and its folders when missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
        }
        // A FIFO without a reader must not hold the keeper up: O_NONBLOCK has no effect on regular files.
        let file =
            OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(libc::O_NONBLOCK).open(path)?;
        Ok(Self { file, dropped: 0, reason: None })
    }

    /// Appends bytes; never fails, but may drop and count them.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.dropped > 0 && !self.mark_gap() {
            self.dropped += bytes.len() as u64;
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.dropped += rest.len() as u64;
                    self.reason = Some(e);
                    return;
                }
            }
        }
    }

    /// Writes the line that tells of missing bytes; false when that fails too.
    fn mark_gap(&mut self) -> bool {
        let reason = self.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        let line = format!("\n[pm: {} bytes are missing here: {reason}]\n", self.dropped);
        match self.file.write_all(line.as_bytes()) {
            Ok(()) => {
                self.dropped = 0;
                true
            }
            Err(e) => {
                self.reason = Some(e);
                false
            }
        }
    }
}
