//! Accepts connections until told to stop, then sees the open ones to their
//! end: at most [`STOP_GRACE`], after which they are dropped.

use super::connection;
use crate::door::Door;
use service_host::identity::Identity;
use service_host::server::STOP_GRACE;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Open connections at a time; further ones wait in the kernel's queue. A
/// connection is one descriptor of the usual 1024 where the soft limit was not
/// raised, and `pmctl up` needs some of them for its instances.
const MAX_CONNECTIONS: usize = 768;

/// After an accept failed for want of descriptors or memory: the very same
/// error is there again at once, and nothing tells when it is over.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    identity: Option<Identity>,
    door: Arc<Door>,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let tasks = TaskTracker::new();
    let sever = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { break };
        // Small messages with an answer each are what Nagle's algorithm
        // delays. Failing means that the peer has gone; reading will say so.
        let _ = stream.set_nodelay(true);
        let (door, shutdown, sever, identity) = (Arc::clone(&door), shutdown.clone(), sever.clone(), identity.clone());
        tasks.spawn(async move {
            let _open = door.meters.connection();
            tokio::select! {
                () = sever.cancelled() => {}
                () = connection::serve(stream, peer, identity, Arc::clone(&door), shutdown) => {}
            }
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(STOP_GRACE, tasks.wait()).await.is_err() {
        tracing::info!(connections = tasks.len(), "connections are still open after the grace period, dropping them");
        sever.cancel();
        tasks.wait().await;
    }
}

type Accepted = (tokio::net::TcpStream, std::net::SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// The next connection, when there is a place for it. `None` would mean that
/// the semaphore was closed, which nobody does.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, place)),
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// accept(2): pending network errors of the new socket are to be treated as
/// errors of that connection.
fn of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted].contains(&error.kind())
}
