//! One start of a replica: from what its disk and its shelf kept to its crash.

use super::net::Way;
use super::watched::Watched;
use super::{Dice, Kept, Net, Oracle, Shelf, SimDisk, Stand, Subject};
use registry_consensus::{Consensus, LogDisk as _, Ports, ReplicaId, Settings, Standing};
use registry_quorum::elections::Timing;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::task::JoinHandle;

/// A replica that runs, or is about to.
pub(crate) struct Life<S: Subject> {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) disk: Arc<SimDisk>,
    pub(crate) machine: Arc<S>,
    consensus: OnceLock<Consensus>,
    service: OnceLock<S::Service>,
    starting: Mutex<Option<JoinHandle<()>>>,
}

/// What a start needs.
pub(super) struct Start<S: Subject> {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) kept: Kept,
    pub(super) shelf: Shelf,
    pub(super) settings: Settings,
    pub(super) dice: Dice,
    pub(super) oracle: Oracle,
    pub(super) net: Net,
    pub(super) founders: BTreeSet<ReplicaId>,
    pub(super) common: S::Common,
}

impl<S: Subject> Life<S> {
    /// Begins; the replica runs once its disk has written what it needs for that.
    pub(super) fn begin(start: Start<S>) -> Arc<Self> {
        let Start { id, number, kept, shelf, settings, dice, oracle, net, founders, common } = start;
        let (disk, notices) = SimDisk::open(id, kept, dice, oracle.clone());
        let machine = S::open((id, number), shelf, &common);
        oracle.opened((id, number), machine.applied().at);
        net.boots(id, number, disk.clone());
        let timing = Timing::of_election_timeout(settings.election_timeout.as_millis() as u64);
        let way = Arc::new(Way { net: net.clone(), me: id, life: number, disk: disk.clone() });
        let watched =
            Watched { machine: machine.clone(), life: (id, number), disk: disk.clone(), oracle: oracle.clone() };
        let (consensus, service, starting) = (OnceLock::new(), OnceLock::new(), Mutex::default());
        let life = Arc::new(Self { id, number, disk: disk.clone(), machine, consensus, service, starting });
        let ports = Ports { disk, notices, machine: Arc::new(watched), peers: way.clone() };
        let begun = life.clone();
        *life.starting.lock().unwrap() = Some(tokio::spawn(async move {
            match Consensus::start(ReplicaId(id), settings, ports).await {
                Ok(consensus) => {
                    oracle.follows(id, consensus.standing(), timing);
                    let _ = begun.consensus.set(consensus.clone());
                    consensus.expect(&founders);
                    let (life, machine) = ((id, number), begun.machine.clone());
                    let service = S::serve(Stand { life, consensus, machine, peers: way, common });
                    net.opens(id, number, S::door(&service));
                    let _ = begun.service.set(service);
                }
                Err(_) if begun.disk.is_closed() => {}
                Err(error) => {
                    let (extent, at) = (begun.disk.extent(), begun.machine.applied().at);
                    oracle.violated(format!("replica {id} cannot start: {error}; {extent:?}, applied {at:?}"));
                }
            }
        }));
        life
    }

    pub(super) fn end(&self) {
        if let Some(starting) = self.starting.lock().unwrap().take() {
            starting.abort();
        }
        if let Some(service) = self.service.get() {
            S::end(service);
        }
        if let Some(consensus) = self.consensus.get().cloned() {
            // Only so that its tasks end: nothing that they do is heard any more.
            tokio::spawn(async move { consensus.stop().await });
        }
    }

    /// Once it runs.
    pub(crate) fn consensus(&self) -> Option<&Consensus> {
        self.consensus.get()
    }

    /// Its consensus; it has to run.
    pub(crate) fn running(&self) -> &Consensus {
        self.consensus.get().expect("it runs")
    }

    pub(crate) fn standing(&self) -> Standing {
        self.consensus.get().map(|consensus| consensus.standing().borrow().clone()).unwrap_or_default()
    }

    /// Once it serves.
    pub(crate) fn service(&self) -> Option<&S::Service> {
        self.service.get()
    }

    /// It leads, and acts on it.
    pub(crate) fn leads(&self) -> bool {
        self.standing().leads()
    }
}

/// A replica's settings: what may differ between clocks differs here.
pub(super) fn settings(id: u64, dice: &Dice) -> Settings {
    Settings {
        election_timeout: Duration::from_millis(dice.between(900, 1_100)),
        snapshot_after: 8 << 10,
        keep: 2 << 10,
        ..Settings::new(dice.between(0, u64::MAX - 1) ^ id)
    }
}
