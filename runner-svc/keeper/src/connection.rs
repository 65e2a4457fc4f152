//! The runner's end of the socket, as the keeper sees it: never blocks, and a
//! runner that does not read is cut off rather than waited for.

use crate::frame::{self, FrameError};
use crate::protocol::{Event, Request};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// Bytes that may wait for a runner that does not read. It gets everything
/// anew with the next connection.
const MAX_PENDING: usize = 32 << 20;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// Whether the greeting was exchanged; nothing else is said before.
    pub(crate) greeted: bool,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Closed {
    #[error("the runner closed it")]
    ByRunner,
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
        Ok(Self { stream, incoming: Vec::new(), outgoing: Vec::new(), greeted: false })
    }

    /// Reads what is there and returns whole requests.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<Vec<Request>, Closed> {
        let mut requests = Vec::new();
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(Closed::ByRunner),
                Ok(n) => self.incoming.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
            while let Some(request) = frame::decode(&mut self.incoming)? {
                requests.push(request);
            }
        }
        Ok(requests)
    }

    /// Queues an event.
    pub(crate) fn send(&mut self, event: &Event) -> Result<(), Closed> {
        frame::encode(event, &mut self.outgoing)?;
        if self.outgoing.len() > MAX_PENDING { Err(Closed::NotReading) } else { Ok(()) }
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
