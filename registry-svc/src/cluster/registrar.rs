//! Whom this replica lets in: replicas of its own cluster and epoch, each with
//! the directory under which it is known, never an earlier start of it, and
//! none whose log has gone back.

use crate::peers::{Hello, Reason, Registrar, Stops, Turned};
use crate::view::View;
use registry_consensus::{Consensus, ReplicaId};
use registry_domain::Refusal;
use registry_domain::members::Member;
use registry_quorum::founding::Founder;
use registry_quorum::recovery::{Fence, Met};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Judges who is there at the other end of a link.
pub(crate) struct Gatekeeper {
    ours: Fence,
    /// Who takes part, and what is known of them; set once there is a consensus to ask.
    cluster: OnceLock<(Consensus, Arc<View>)>,
    known: Mutex<BTreeMap<ReplicaId, Known>>,
}

/// What is known of a replica.
#[derive(Clone, Default)]
struct Known {
    store: String,
    boot: u64,
    /// 0: not known.
    start: u64,
    /// The name in its certificate; empty: not known.
    certificate: String,
}

impl Known {
    fn of(member: &Member) -> Self {
        let (store, certificate) = (member.store.clone(), member.certificate.clone());
        Self { store, boot: member.boot, start: member.start, certificate }
    }

    /// What was heard last, here or by the cluster.
    fn newer(self, other: Self) -> Self {
        let certificate =
            if self.certificate.is_empty() { other.certificate.clone() } else { self.certificate.clone() };
        let newer = if (other.boot, other.start) > (self.boot, self.start) { other } else { self };
        Self { certificate, ..newer }
    }
}

impl Gatekeeper {
    /// Knows these from the founding on.
    pub(crate) fn new(ours: Fence, founders: &BTreeMap<ReplicaId, Founder>) -> Self {
        let known = founders.iter().map(|(id, one)| (*id, Known { store: one.store.clone(), ..Known::default() }));
        Self { ours, cluster: OnceLock::new(), known: Mutex::new(known.collect()) }
    }

    /// From now on it is known who takes part.
    pub(crate) fn ask(&self, consensus: Consensus, view: Arc<View>) {
        // Set once, when the replica starts.
        let _ = self.cluster.set((consensus, view));
    }

    /// Whether it is certain that this is none of us. Only a leader can tell: whoever lags does not know yet who has
    /// joined since, and may need the log from just that one.
    fn is_stranger(&self, id: ReplicaId) -> bool {
        let Some((consensus, _)) = self.cluster.get() else { return false };
        let standing = consensus.standing();
        let standing = standing.borrow();
        standing.leads() && !standing.members.all().contains(&id)
    }

    /// A number is bound to the first certificate that was shown for it, and a certificate to its number: who was removed,
    /// or took the key of another machine, does not speak as a member.
    fn certifies(&self, id: ReplicaId, name: &str, heard: &BTreeMap<ReplicaId, Known>) -> Result<(), Turned> {
        let rows = |found: &mut dyn FnMut(ReplicaId, &str)| {
            if let Some((_, view)) = self.cluster.get() {
                view.read().state.members().values().for_each(|row| found(ReplicaId(row.id), &row.certificate));
            }
            heard.iter().for_each(|(id, known)| found(*id, &known.certificate));
        };
        let mut refusal = None;
        rows(&mut |other, certificate| {
            let of_another = other != id && certificate == name;
            let is_another = other == id && !certificate.is_empty() && certificate != name;
            if of_another || is_another {
                let known = if is_another { certificate.to_owned() } else { String::new() };
                refusal = Some(Refusal::MemberCertificate { id: id.0, name: name.to_owned(), known });
            }
        });
        match refusal {
            Some(refusal) => Err(Turned { reason: Reason::NotAMember, why: refusal.to_string(), stops: Stops::Nobody }),
            None => Ok(()),
        }
    }

    fn row(&self, id: ReplicaId) -> Option<Arc<Member>> {
        let (_, view) = self.cluster.get()?;
        view.read().state.members().get(&id.0).cloned()
    }

    /// Leading only: what this replica acknowledged, when it has not got it any more. A message on its way may be
    /// older than an acknowledgement, so only the first word of a new process is held against it.
    fn lost(&self, hello: &Hello) -> Option<u64> {
        let (consensus, _) = self.cluster.get()?;
        let (term, acknowledged) = consensus.acknowledged()?;
        let acknowledged = *acknowledged.get(&hello.from())?;
        let has = hello.progress.last.map_or(0, |last| last.index);
        // A replica that is ahead of us in terms may have followed another leader, and dropped what we sent.
        (hello.progress.term <= term && has < acknowledged).then_some(acknowledged)
    }
}

fn not_ours(met: &Met) -> Option<Turned> {
    let (reason, stops) = match met {
        Met::Welcome => return None,
        Met::Foreign { .. } => (Reason::ForeignCluster, Stops::Sender),
        Met::TurnedAway { .. } => (Reason::EpochLower, Stops::Sender),
        Met::LeftBehind { .. } => (Reason::EpochHigher, Stops::Ourselves),
    };
    Some(Turned { reason, why: met.to_string(), stops })
}

/// For good, with the cluster's own words for it.
fn ended(reason: Reason, refusal: &Refusal) -> Turned {
    Turned { reason, why: refusal.to_string(), stops: Stops::Sender }
}

impl Registrar for Gatekeeper {
    fn admit(&self, hello: &Hello) -> Result<(), Turned> {
        if let Some(turned) = not_ours(&self.ours.meet(&hello.fence)) {
            return Err(turned);
        }
        let id = hello.from();
        let row = self.row(id);
        if row.as_ref().is_some_and(|row| row.gone.is_some()) {
            return Err(ended(Reason::NotAMember, &Refusal::MemberGone(id.0)));
        }
        if self.is_stranger(id) {
            // Not for good: a replica that has just been admitted may be known to others first.
            let why =
                format!("replica {id} is not a member of this cluster; start it with an empty directory and --join");
            return Err(Turned { reason: Reason::NotAMember, why, stops: Stops::Nobody });
        }
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(certificate) = &hello.certificate {
            self.certifies(id, certificate, &all)?;
        }
        let heard = all.get(&id).cloned();
        let known = match (row.as_deref().filter(|row| !row.store.is_empty()).map(Known::of), heard) {
            (Some(row), Some(heard)) if row.store == heard.store => Some(row.newer(heard)),
            (row, heard) => row.or(heard),
        };
        let is_new = known.as_ref().is_none_or(|known| known.start != hello.start || known.boot != hello.boot);
        if let Some(known) = &known {
            if known.store != hello.store {
                return Err(ended(Reason::StoreDiffers, &Refusal::MemberStore(id.0)));
            }
            let another = hello.boot == known.boot && ![0, known.start].contains(&hello.start) && known.start != 0;
            if hello.boot < known.boot || another {
                let refusal = Refusal::MemberBoot { id: id.0, boot: hello.boot, known: known.boot };
                return Err(ended(Reason::BootLower, &refusal));
            }
        }
        if let Some(acknowledged) = self.lost(hello).filter(|_| is_new && hello.start != 0) {
            let why = format!(
                "replica {id} acknowledged entry {acknowledged} and now ends at {}: its data directory is an older copy, \
                 or its disk has lost something; start it with an empty directory and --join as a new replica, then run \
                 `pmctl cluster join NEW --replaces {id}`",
                hello.progress.last.map_or(0, |last| last.index)
            );
            return Err(Turned { reason: Reason::WentBack, why, stops: Stops::Sender });
        }
        let certificate = hello.certificate.clone().unwrap_or_default();
        all.insert(id, Known { store: hello.store.clone(), boot: hello.boot, start: hello.start, certificate });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{Identity, Progress};

    fn hello(id: u64, certificate: Option<&str>) -> Hello {
        let fence = Fence { cluster: "c".to_owned(), epoch: 1, id: ReplicaId(id) };
        let (store, address, version) = (format!("store-{id}"), format!("https://r{id}:1"), "1".to_owned());
        let identity = Identity { fence, store, boot: 1, address, version, start: id, level: 3 };
        let certificate = certificate.map(str::to_owned);
        Hello { certificate, ..identity.hello(ReplicaId(1), Progress::default()) }
    }

    #[test]
    fn a_number_keeps_its_certificate_and_a_certificate_its_number() {
        let keeper = Gatekeeper::new(hello(1, None).fence, &BTreeMap::new());
        let admit =
            |id, certificate| keeper.admit(&hello(id, certificate)).map_err(|turned| (turned.reason, turned.stops));
        let stranger = Err((Reason::NotAMember, Stops::Nobody));
        assert_eq!(admit(2, Some("registry-2")), Ok(()));
        assert_eq!(admit(2, Some("registry-2")), Ok(()), "as often as it comes");
        assert_eq!(admit(2, Some("registry-9")), stranger, "another one under its number");
        assert_eq!(admit(3, Some("registry-2")), stranger, "it under another number");
        assert_eq!(admit(3, Some("registry-3")), Ok(()));
        // Plain text shows none.
        let plain = Gatekeeper::new(hello(1, None).fence, &BTreeMap::new());
        assert!(plain.admit(&hello(2, None)).is_ok() && plain.admit(&hello(3, None)).is_ok());
    }
}
