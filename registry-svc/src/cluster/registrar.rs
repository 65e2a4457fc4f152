//! Whom this replica lets in: members of its own cluster and epoch, each with
//! the directory under which it is known, and never an earlier start of it.

use crate::peers::{Hello, Reason, Registrar, Stops, Turned};
use registry_consensus::{Consensus, ReplicaId};
use registry_quorum::founding::Founder;
use registry_quorum::recovery::{Fence, Met};
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Judges who is there at the other end of a link.
pub(crate) struct Gatekeeper {
    ours: Fence,
    /// Who takes part; set once there is a consensus to ask.
    consensus: OnceLock<Consensus>,
    known: Mutex<BTreeMap<ReplicaId, Known>>,
}

/// What is known of a replica.
struct Known {
    store: String,
    boot: u64,
}

impl Gatekeeper {
    /// Knows these from the founding on.
    pub(crate) fn new(ours: Fence, founders: &BTreeMap<ReplicaId, Founder>) -> Self {
        let known = founders.iter().map(|(id, founder)| (*id, Known { store: founder.store.clone(), boot: 0 }));
        Self { ours, consensus: OnceLock::new(), known: Mutex::new(known.collect()) }
    }

    /// From now on only members are let in.
    pub(crate) fn ask(&self, consensus: Consensus) {
        // Set once, when the replica starts.
        let _ = self.consensus.set(consensus);
    }

    fn is_member(&self, id: ReplicaId) -> bool {
        let Some(consensus) = self.consensus.get() else { return true };
        let standing = consensus.standing();
        let members = standing.borrow().members.all();
        // A replica that has no log yet learns who its peers are from them.
        members.is_empty() || members.contains(&id)
    }
}

impl Registrar for Gatekeeper {
    fn admit(&self, hello: &Hello) -> Result<(), Turned> {
        let (reason, stops) = match self.ours.meet(&hello.fence) {
            Met::Welcome => (None, Stops::Nobody),
            Met::Foreign { .. } => (Some(Reason::ForeignCluster), Stops::Sender),
            Met::TurnedAway { .. } => (Some(Reason::EpochLower), Stops::Sender),
            Met::LeftBehind { .. } => (Some(Reason::EpochHigher), Stops::Ourselves),
        };
        if let Some(reason) = reason {
            return Err(Turned { reason, why: self.ours.meet(&hello.fence).to_string(), stops });
        }
        let id = hello.from();
        if !self.is_member(id) {
            // Not for good: a replica that has just been admitted may be known to others first.
            let why = format!("replica {id} is not a member of this cluster; run `pmctl cluster join` for it");
            return Err(Turned { reason: Reason::NotAMember, why, stops: Stops::Nobody });
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.entry(id).or_insert_with(|| Known { store: hello.store.clone(), boot: hello.boot });
        if before.store != hello.store {
            let why = format!(
                "replica {id} is known with another data directory: under its old number this one could vote a second \
                 time; start it with an empty directory and --join as a new replica, then run `pmctl cluster join NEW \
                 --replaces {id}`"
            );
            return Err(Turned { reason: Reason::StoreDiffers, why, stops: Stops::Sender });
        }
        if hello.boot < before.boot {
            let why = format!(
                "replica {id} was started {} times and now says {}: its data directory is an older copy; start it with \
                 an empty directory and --join as a new replica, then run `pmctl cluster join NEW --replaces {id}`",
                before.boot, hello.boot
            );
            return Err(Turned { reason: Reason::BootLower, why, stops: Stops::Sender });
        }
        before.boot = hello.boot;
        Ok(())
    }
}
