//! Replicas, doors, networks.

pub(crate) mod door;
pub(crate) mod proxy;
pub(crate) mod replica;
pub(crate) mod snapshot;

pub(crate) use door::{Heard, append};
pub(crate) use proxy::Proxy;
pub(crate) use replica::{Replica, Script, Trust, identity, quick};

use registry_consensus::{LinkEvent, ReplicaId};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// For whatever must happen, and says nothing if it does not.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn in_time<T>(what: &str, happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, happens).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

pub(crate) type Events = UnboundedReceiver<LinkEvent>;

pub(crate) async fn event(events: &mut Events) -> LinkEvent {
    in_time("an event", events.recv()).await.unwrap()
}

pub(crate) async fn until_up(events: &mut Events, of: u64) -> u64 {
    loop {
        match event(events).await {
            LinkEvent::Up { peer, boot } if peer == ReplicaId(of) => return boot,
            _ => {}
        }
    }
}

/// The next end of a link, or dial that failed: whether it was refused.
pub(crate) async fn until_down(events: &mut Events, of: u64) -> bool {
    loop {
        match event(events).await {
            LinkEvent::Down { peer, refused } if peer == ReplicaId(of) => return refused,
            _ => {}
        }
    }
}

/// An address of this host where nobody listens.
pub(crate) fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.1.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// An address of this host that answers nothing at all: its queue of
/// connections is full, so that the kernel drops what comes.
pub(crate) struct BlackHole {
    pub(crate) address: String,
    _listener: tokio::net::TcpListener,
    _queue: Vec<tokio::net::TcpStream>,
}

impl BlackHole {
    pub(crate) async fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let place = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(connected) =
            tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(place)).await
        {
            queue.push(connected.unwrap());
            assert!(queue.len() < 100, "the queue never fills");
        }
        Self { address: format!("http://{place}"), _listener: listener, _queue: queue }
    }
}
