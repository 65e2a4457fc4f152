//! What every call of a replica shares.

use crate::api::{Isolation, Rosters, not_linearizable};
use crate::clock;
use crate::driver::{Driver, ProposeError, Way};
use crate::home::Home;
use crate::home::health::DiskHealth;
use crate::lease_keeper::LeaseBook;
use crate::levels::Levels;
use crate::machine::MemoryMachine;
use crate::numbers::Numbers;
use crate::options::Options;
use crate::peers::{AddressBook, Links, Reception};
use crate::sessions::Sessions;
use crate::view::View;
use registry_consensus::{Consensus, ReplicaId};
use registry_domain::Meta;
use registry_log::Log;
use service_host::metrics::Metrics;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What every call of a replica shares.
pub(crate) struct Core {
    pub(crate) options: Options,
    pub(crate) consensus: Consensus,
    pub(crate) links: Links,
    pub(crate) book: AddressBook,
    pub(crate) reception: Reception,
    pub(crate) view: Arc<View>,
    pub(crate) driver: Driver,
    pub(crate) way: Arc<Way>,
    pub(crate) leases: LeaseBook,
    pub(crate) levels: Levels,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) sessions: Sessions,
    pub(crate) isolation: Isolation,
    pub(crate) rosters: Rosters,
    pub(crate) metrics: Metrics,
    pub(crate) home: Arc<Home>,
    pub(crate) log: Arc<Log>,
    pub(crate) machine: Arc<MemoryMachine>,
    pub(crate) disk: watch::Receiver<DiskHealth>,
    /// Held while the members are changed.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// A replica has been enrolled, and may want something.
    pub(crate) enrolled: Notify,
    /// Ends everything that runs beside the calls.
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Core {
    /// Waits until this replica's state is at least as new as everything that
    /// was acknowledged before the call; not when `stale`.
    pub(crate) async fn read_barrier(&self, stale: bool) -> Result<(), tonic::Status> {
        if stale {
            return Ok(());
        }
        self.consensus.read_barrier().await.map(drop).map_err(|fault| not_linearizable(&fault))
    }

    /// The error of a call that only a leader can answer.
    pub(crate) fn no_leader(&self) -> ProposeError {
        self.way.no_leader()
    }

    /// Where a replica is reached; its likeliest address.
    pub(crate) fn address_of(&self, id: ReplicaId) -> String {
        if id == self.links.identity().id() {
            return self.options.advertise.clone();
        }
        self.book.of(id).into_iter().next().unwrap_or_default()
    }

    /// Epoch of the cluster as nodes know it: it grows when the cluster is
    /// recovered, which its replicas know, and when it is restored, which its
    /// state knows.
    pub(crate) fn epoch_of(&self, meta: &Meta) -> u64 {
        self.fence_epoch().saturating_add(meta.epoch)
    }

    /// The replicas' own part of it.
    pub(crate) fn fence_epoch(&self) -> u64 {
        self.links.identity().fence.epoch
    }

    /// The time to put into a command.
    pub(crate) fn now(&self) -> process_model::Timestamp {
        clock::now()
    }

    /// Ends with the registry.
    pub(crate) fn stopped(&self) -> &CancellationToken {
        &self.stop
    }
}
