//! Waiting for descriptors: epoll(7), with what a ready descriptor means.

use rustix::event::epoll;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The listening socket.
    Listener,
    /// The signal descriptor.
    Signals,
    /// The runner's connection.
    Runner,
    /// An output of a run: 0 standard output, 1 standard error.
    Output {
        /// The run.
        run: u64,
        /// Which output.
        index: usize,
    },
}

/// Numbers below this are the fixed sources.
const FIRST_OUTPUT: u64 = 16;

impl Source {
    fn encode(self) -> u64 {
        match self {
            Self::Listener => 0,
            Self::Signals => 1,
            Self::Runner => 2,
            Self::Output { run, index } => FIRST_OUTPUT + run * 2 + index as u64,
        }
    }

    fn decode(number: u64) -> Self {
        match number {
            0 => Self::Listener,
            1 => Self::Signals,
            2 => Self::Runner,
            n => {
                let n = n - FIRST_OUTPUT;
                Self::Output { run: n / 2, index: usize::from(n % 2 == 1) }
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { fd: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    pub(crate) fn add(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        Ok(epoll::add(&self.fd, fd, epoll::EventData::new_u64(source.encode()), epoll::EventFlags::IN)?)
    }

    /// Also waits for room to write, or no longer.
    pub(crate) fn want_write(&self, fd: impl AsFd, source: Source, write: bool) -> io::Result<()> {
        let flags = if write { epoll::EventFlags::IN | epoll::EventFlags::OUT } else { epoll::EventFlags::IN };
        Ok(epoll::modify(&self.fd, fd, epoll::EventData::new_u64(source.encode()), flags)?)
    }

    /// Listens no longer, or again.
    pub(crate) fn listen(&self, fd: impl AsFd, source: Source, listen: bool) -> io::Result<()> {
        let flags = if listen { epoll::EventFlags::IN } else { epoll::EventFlags::empty() };
        Ok(epoll::modify(&self.fd, fd, epoll::EventData::new_u64(source.encode()), flags)?)
    }

    /// Waits for something to happen, at most for `patience`.
    pub(crate) fn wait(&self, ready: &mut Vec<Source>, patience: Option<Duration>) -> io::Result<()> {
        // Enough for a burst; what does not fit is told by the next call.
        let mut events = [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; 256];
        ready.clear();
        let patience = patience.and_then(|patience| rustix::time::Timespec::try_from(patience).ok());
        match epoll::wait(&self.fd, &mut events[..], patience.as_ref()) {
            Ok(n) => {
                ready.extend(events.iter().take(n).map(|event| {
                    let data = event.data;
                    Source::decode(data.u64())
                }));
                Ok(())
            }
            Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn sources_read_back_as_written() {
        for source in [
            Source::Listener,
            Source::Signals,
            Source::Runner,
            Source::Output { run: 0, index: 0 },
            Source::Output { run: 77, index: 1 },
        ] {
            assert_eq!(Source::decode(source.encode()), source);
        }
    }
}
