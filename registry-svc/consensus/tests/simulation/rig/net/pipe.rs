//! A connection that is none between replicas: in order or not at all, in both
//! directions, to a life of a replica. It ends when that life does, and when
//! nothing has passed for too long.

use super::{KEEPALIVE, Net, Wire};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// One direction: what goes in here comes out there, later.
pub(crate) struct Pipe<T>(mpsc::UnboundedSender<(Instant, T)>, Arc<Wire>);

impl<T> Pipe<T> {
    /// False when the connection has ended.
    pub(crate) fn send(&self, what: T) -> bool {
        self.0.send((Instant::now() + self.1.delay(), what)).is_ok()
    }
}

impl Net {
    /// Dials a replica: waits for the round trip. None: refused, or no answer.
    pub(crate) async fn reach(&self, from: u64, to: u64) -> Option<u64> {
        let (there, back) = (self.wire(from, to), self.wire(to, from));
        let round = async {
            sleep(there.delay()).await;
            there.becomes(false).await;
            let life = self.lives(to);
            sleep(back.delay()).await;
            back.becomes(false).await;
            life
        };
        tokio::time::timeout(KEEPALIVE, round).await.ok().flatten()
    }

    /// Which life of a replica answers, if one does.
    pub(crate) fn lives(&self, id: u64) -> Option<u64> {
        self.lock().hosts.get(&id).filter(|host| host.runs && host.door.is_some()).map(|host| host.life)
    }

    /// One direction of a connection between somebody and a life of a replica.
    pub(crate) fn pipe<T: Send + 'static>(
        &self,
        (from, to): (u64, u64),
        replica: (u64, u64),
        ended: &CancellationToken,
    ) -> (Pipe<T>, mpsc::UnboundedReceiver<T>) {
        let wire = self.wire(from, to);
        let (into, mut sent) = mpsc::unbounded_channel::<(Instant, T)>();
        let (deliver, out) = mpsc::unbounded_channel();
        let (net, way, over) = (self.clone(), wire.clone(), ended.clone());
        tokio::spawn(async move {
            while let Some((at, what)) = sent.recv().await {
                let comes = async {
                    sleep_until(at).await;
                    way.becomes(false).await;
                };
                tokio::select! { biased; () = over.cancelled() => return, () = comes => {} }
                if net.lives(replica.0) != Some(replica.1) || deliver.send(what).is_err() {
                    return over.cancel();
                }
            }
            over.cancel();
        });
        (Pipe(into, wire), out)
    }

    /// Ends a connection when nothing passes for too long, or when the replica
    /// is gone: its host says so, or is silent.
    pub(crate) async fn until_it_falls(&self, from: u64, replica: (u64, u64), ended: &CancellationToken) {
        let (there, back) = (self.wire(from, replica.0), self.wire(replica.0, from));
        let silent = async {
            loop {
                tokio::select! { biased; () = there.becomes(true) => {} () = back.becomes(true) => {} }
                let again = async { tokio::join!(there.becomes(false), back.becomes(false)) };
                tokio::select! { biased; _ = again => {} () = sleep(KEEPALIVE) => return }
            }
        };
        let gone = async {
            while self.lives(replica.0) == Some(replica.1) {
                sleep(KEEPALIVE / 40).await;
            }
            if self.lock().hosts.get(&replica.0).is_some_and(|host| host.dark) {
                sleep(KEEPALIVE).await;
            }
        };
        tokio::select! { biased; () = ended.cancelled() => {} () = silent => {} () = gone => {} }
        ended.cancel();
    }
}
