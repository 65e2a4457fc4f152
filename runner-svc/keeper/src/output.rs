//! One output of a run: the read end of its pipe, and the file it goes to.

use crate::log_file::LogFile;
use std::os::fd::OwnedFd;

/// A pipe and its file.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) pipe: OwnedFd,
    file: LogFile,
}

/// What a look at the pipe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    /// There may be more at once.
    More,
    /// Empty for now.
    Empty,
    /// Every writer has closed it.
    Closed,
}

impl Output {
    pub(crate) fn new(pipe: OwnedFd, file: LogFile) -> Self {
        Self { pipe, file }
    }

    /// Lets the next write look whether the file was renamed away.
    pub(crate) fn look_again(&mut self) {
        self.file.look_again();
    }

    /// Moves at most one buffer from pipe to file, so that a loud program does
    /// not starve the others.
    pub(crate) fn pump(&mut self, buffer: &mut [u8]) -> Drained {
        match rustix::io::read(&self.pipe, &mut *buffer) {
            Ok(0) => Drained::Closed,
            Ok(n) => {
                self.file.write(buffer.get(..n).unwrap_or_default());
                Drained::More
            }
            Err(rustix::io::Errno::AGAIN) => Drained::Empty,
            Err(rustix::io::Errno::INTR) => Drained::More,
            // No other error is documented for a pipe of ours; it can give nothing more.
            Err(_) => Drained::Closed,
        }
    }
}
