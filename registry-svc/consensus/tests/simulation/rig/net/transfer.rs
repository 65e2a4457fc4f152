//! A snapshot on its way, in pieces; interrupted anywhere, begun again where
//! the receiver says that it lacks it.

use super::Net;
use super::lane::Lane;
use registry_consensus::{PeerFault, ReplicaId, Snapshot, Vote};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const PIECES: usize = 5;

impl Lane {
    pub(super) async fn send_snapshot(self: Arc<Self>, vote: Vote, snapshot: Snapshot) -> Result<Vote, PeerFault> {
        let to = ReplicaId(self.to);
        let unreachable = PeerFault::Unreachable(to);
        let _one = self.transfer.lock().await;
        if !self.passes(true, Duration::ZERO).await {
            return Err(unreachable);
        }
        let claimed = self.net.claim(self.to, vote.term);
        let Some(claimed) = claimed else {
            return Err(PeerFault::Refused { peer: to, why: "another transfer is under way".to_owned() });
        };
        let sent = tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(unreachable),
            () = claimed.cancelled() => Err(PeerFault::Refused { peer: to, why: "another one came".to_owned() }),
            sent = self.transfer(vote, snapshot) => sent,
        };
        claimed.cancel();
        sent
    }

    async fn transfer(&self, vote: Vote, snapshot: Snapshot) -> Result<Vote, PeerFault> {
        let (to, from) = (ReplicaId(self.to), ReplicaId(self.from));
        let unreachable = || PeerFault::Unreachable(to);
        let refused = |why: &dyn std::fmt::Display| PeerFault::Refused { peer: to, why: why.to_string() };
        let begun = self.door.begin_snapshot(from, vote, &snapshot.meta, snapshot.source.len());
        let mut sink = match begun.map_err(|fault| refused(&fault))? {
            Ok(sink) => sink,
            Err(vote) => return if self.passes(false, Duration::ZERO).await { Ok(vote) } else { Err(unreachable()) },
        };
        if sink.offset() > 0 {
            self.net.lock().oracle.count("snapshot gone on with");
        }
        let piece = snapshot.source.len() as usize / PIECES + 1;
        while sink.offset() < snapshot.source.len() {
            if !self.passes(true, Duration::from_millis(2)).await {
                return Err(unreachable());
            }
            if self.net.interrupts() {
                self.close();
                return Err(unreachable());
            }
            let bytes = snapshot.source.read_at(sink.offset(), piece).map_err(|error| refused(&error))?;
            sink.append(&bytes).map_err(|error| refused(&error))?;
        }
        let received = sink.finish().map_err(|fault| refused(&fault))?;
        let vote = self.door.end_snapshot(from, vote, received).await;
        if self.is_there() && self.passes(false, Duration::ZERO).await { Ok(vote) } else { Err(unreachable()) }
    }
}

impl Net {
    /// The place for a snapshot at a host: the newest leader has it.
    fn claim(&self, to: u64, term: u64) -> Option<CancellationToken> {
        let mut inner = self.lock();
        let receiving = &mut inner.hosts.get_mut(&to)?.receiving;
        if let Some((other, transfer)) = receiving.as_ref().filter(|(_, transfer)| !transfer.is_cancelled()) {
            if *other > term {
                return None;
            }
            transfer.cancel();
        }
        let claimed = CancellationToken::new();
        *receiving = Some((term, claimed.clone()));
        Some(claimed)
    }

    fn interrupts(&self) -> bool {
        let inner = self.lock();
        let ends = inner.interrupts > 0 && inner.dice.permille(inner.interrupts);
        if ends {
            inner.oracle.count("snapshot interrupted");
        }
        ends
    }
}
