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
    /// Why it is to be let go of.
    pub(crate) failed: Option<Closed>,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Closed {
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
        Ok(Self { stream, incoming: Vec::new(), outgoing: Vec::new(), greeted: false, failed: None })
    }

    /// Reads what is there and hands over whole requests, those that came with
    /// the end of the stream too: who asked may not live to ask again.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> (Vec<Request>, Option<Closed>) {
        let mut requests = Vec::new();
        let closed = self.receive_into(&mut requests, buffer).err();
        (requests, closed)
    }

    fn receive_into(&mut self, requests: &mut Vec<Request>, buffer: &mut [u8]) -> Result<(), Closed> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(Closed::ByRunner),
                Ok(n) => self.incoming.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
            while let Some(request) = frame::decode(&mut self.incoming)? {
                requests.push(request);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_come_with_the_end_of_the_stream_are_handed_over() {
        for garbage in [&[][..], &[0xff; 8][..]] {
            let (mut runner, keeper) = UnixStream::pair().unwrap();
            let mut connection = Connection::new(keeper).unwrap();
            let requests = [Request::Hello { version: 1 }, Request::Forget { run: 7 }];
            let mut bytes = Vec::new();
            for request in &requests {
                frame::encode(request, &mut bytes).unwrap();
            }
            bytes.extend(garbage);
            runner.write_all(&bytes).unwrap();
            drop(runner);
            let (received, closed) = connection.receive(&mut [0; 1024]);
            assert_eq!(received, requests);
            assert!(closed.is_some());
        }
    }
}
