//! Connections inside one process: a pair of in-memory pipes instead of a socket.
//!
//! Enters: a connect on one side. Leaves: an accepted pipe on the other. No port, no file, nothing that another
//! process could reach.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Connections that wait to be accepted. A process has a handful of channels to each service; one that connects
/// while sixteen wait has to wait too.
const ACCEPT_QUEUE: usize = 16;

/// Bytes in flight in each direction before the writer waits. Four of HTTP/2's default frames (16 KiB): enough to
/// let both sides run without a switch at each frame, small enough for dozens of connections.
const PIPE_BYTES: usize = 64 * 1024;

/// The client's end: connects to the server that holds the [`MemoryIncoming`]. Clones connect to the same server.
#[derive(Clone, Debug)]
pub struct MemoryConnector {
    // Replaced by `listen_again`; the lock is held only to copy the sender.
    queue: Arc<Mutex<mpsc::Sender<DuplexStream>>>,
}

/// The server's end. Dropping it is closing the port: connects are refused from then on.
#[derive(Debug)]
pub struct MemoryIncoming {
    queue: mpsc::Receiver<DuplexStream>,
}

/// A new in-memory "port": what connects at the one end is accepted at the other.
#[must_use]
pub fn memory() -> (MemoryConnector, MemoryIncoming) {
    let (sender, queue) = mpsc::channel(ACCEPT_QUEUE);
    (MemoryConnector { queue: Arc::new(Mutex::new(sender)) }, MemoryIncoming { queue })
}

impl MemoryConnector {
    /// Opens the port again, for a service that is restarted within the process: existing clients reconnect to
    /// the new server. A server that still holds the old end gets no new connections.
    #[must_use]
    pub fn listen_again(&self) -> MemoryIncoming {
        let (sender, queue) = mpsc::channel(ACCEPT_QUEUE);
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = sender;
        MemoryIncoming { queue }
    }

    pub(super) async fn connect(&self) -> io::Result<DuplexStream> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        queue.send(theirs).await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(ours)
    }
}

impl MemoryIncoming {
    /// The next connection; waits for ever once nobody can connect any more, as a socket does.
    pub(super) async fn accept(&mut self) -> DuplexStream {
        match self.queue.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }
}
