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
    /// The timer of the leases.
    Leases,
    /// What the scribe has to tell.
    Logs,
    /// The scribe has been at work for a second.
    Pulse,
    /// Somebody asks the scribe.
    Scribe,
    /// An output of a run: 0 standard output, 1 standard error.
    Output {
        /// The run.
        run: u64,
        /// Which output.
        index: usize,
    },
    /// The `NOTIFY_SOCKET` of a run.
    Notify {
        /// The run.
        run: u64,
    },
    /// The main process of a run that is no child of ours.
    Main {
        /// The run.
        run: u64,
    },
    /// What tells that a limit of a run was reached.
    Limits {
        /// The run.
        run: u64,
    },
}

/// Numbers below this are the fixed sources.
const FIRST_OF_RUN: u64 = 16;

/// Sources that each run has numbers for.
const OF_A_RUN: u64 = 8;

impl Source {
    fn encode(self) -> u64 {
        let of_run = |run: u64, kind: u64| FIRST_OF_RUN + run * OF_A_RUN + kind;
        match self {
            Self::Listener => 0,
            Self::Signals => 1,
            Self::Runner => 2,
            Self::Leases => 3,
            Self::Logs => 4,
            Self::Pulse => 5,
            Self::Scribe => 6,
            Self::Output { run, index } => of_run(run, u64::from(index == 1)),
            Self::Notify { run } => of_run(run, 2),
            Self::Main { run } => of_run(run, 3),
            Self::Limits { run } => of_run(run, 4),
        }
    }

    fn decode(number: u64) -> Self {
        let Some(of_run) = number.checked_sub(FIRST_OF_RUN) else {
            return match number {
                0 => Self::Listener,
                1 => Self::Signals,
                3 => Self::Leases,
                4 => Self::Logs,
                5 => Self::Pulse,
                6 => Self::Scribe,
                _ => Self::Runner,
            };
        };
        let run = of_run / OF_A_RUN;
        match of_run % OF_A_RUN {
            0 => Self::Output { run, index: 0 },
            1 => Self::Output { run, index: 1 },
            2 => Self::Notify { run },
            3 => Self::Main { run },
            _ => Self::Limits { run },
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

    /// Waits for it no longer. Closing is not enough for what others have a
    /// duplicate of: the kernel would go on telling of it (epoll(7)).
    pub(crate) fn remove(&self, fd: impl AsFd) {
        // Not there: it could not be added.
        let _ = epoll::delete(&self.fd, fd);
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
            Source::Leases,
            Source::Logs,
            Source::Pulse,
            Source::Scribe,
            Source::Output { run: 0, index: 0 },
            Source::Output { run: 77, index: 1 },
            Source::Notify { run: 77 },
            Source::Main { run: 77 },
            Source::Limits { run: 78 },
        ] {
            assert_eq!(Source::decode(source.encode()), source);
        }
    }
}
