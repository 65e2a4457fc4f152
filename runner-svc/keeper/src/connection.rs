//! The runner's end of the socket, as the keeper sees it: never blocks, and a
//! runner that does not read is cut off rather than waited for.

use crate::frame::{self, FrameError};
use crate::passing::{self, Sets};
use crate::protocol::{Event, Request};
use rustix::io::Errno;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Bytes that may wait for a runner that does not read. It gets everything
/// anew with the next connection.
const MAX_PENDING: usize = 32 << 20;

/// Reads of one turn: a runner that never stops talking holds nobody else up,
/// and what it says takes bounded memory.
const READS: usize = 16;

/// A request, with the descriptors that came with it.
pub(crate) type Received = (Request, Vec<OwnedFd>);

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: UnixStream,
    pub(crate) incoming: Vec<u8>,
    pub(crate) sets: Sets,
    pub(crate) outgoing: Vec<u8>,
    /// The runner's version of the protocol, from its greeting; nothing is
    /// said before.
    pub(crate) version: Option<u32>,
    /// Whether room to write is waited for.
    pub(crate) is_waiting: bool,
    /// Why it is to be let go of.
    pub(crate) failed: Option<Closed>,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Closed {
    #[error("another runner came")]
    Replaced,
    #[error("the runner closed it")]
    ByRunner,
    #[error("the runner speaks no version of the protocol")]
    NoVersion,
    #[error("the runner does not read")]
    NotReading,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            incoming: Vec::new(),
            sets: Sets::default(),
            outgoing: Vec::new(),
            version: None,
            is_waiting: false,
            failed: None,
        })
    }

    /// Reads what is there, in bounds, and hands over whole requests, those
    /// that came with the end of the stream too: who asked may not live to ask
    /// again.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> (Vec<Received>, Option<Closed>) {
        let mut requests = Vec::new();
        let closed = self.receive_into(&mut requests, buffer).err();
        (requests, closed)
    }

    fn receive_into(&mut self, requests: &mut Vec<Received>, buffer: &mut [u8]) -> Result<(), Closed> {
        for _ in 0..READS {
            match passing::receive(&self.stream, buffer, &mut self.sets) {
                Ok(0) => return Err(Closed::ByRunner),
                Ok(n) => self.incoming.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
            while let Some(received) = frame::decode_with(&mut self.incoming, &mut self.sets)? {
                requests.push(received);
            }
        }
        Ok(())
    }

    /// Queues an event.
    pub(crate) fn send(&mut self, event: &Event) -> Result<(), Closed> {
        frame::encode(event, &mut self.outgoing)?;
        if self.outgoing.len() > MAX_PENDING { Err(Closed::NotReading) } else { Ok(()) }
    }

    /// Begins to send an event with descriptors, when nothing else is queued.
    /// False: not now, the socket is full.
    pub(crate) fn hand(&mut self, event: &Event, set: &[BorrowedFd<'_>]) -> Result<bool, Closed> {
        debug_assert!(self.outgoing.is_empty(), "descriptors would come with the wrong byte");
        frame::encode_with(event, set.len(), &mut self.outgoing)?;
        loop {
            match passing::send(&self.stream, &self.outgoing, set) {
                Ok(n) => {
                    self.outgoing.drain(..n);
                    return Ok(true);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.outgoing.clear();
                    return Ok(false);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // More are under way than this process may have open: this run does without.
                Err(e) if e.raw_os_error() == Some(Errno::TOOMANYREFS.raw_os_error()) => {
                    self.outgoing.clear();
                    return Ok(true);
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Writes what can be written now; true while something is left.
    pub(crate) fn flush(&mut self) -> Result<bool, Closed> {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(n) => {
                    self.outgoing.drain(..n);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        // Give a burst's memory back: the keeper is to stay small.
        self.outgoing.shrink_to(4096);
        self.incoming.shrink_to(4096);
        Ok(false)
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
