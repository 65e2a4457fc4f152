//! What every call of a replica shares.

use crate::api::not_linearizable;
use crate::clock;
use crate::driver::Driver;
use crate::io::data_dir::DataDir;
use crate::io::log::LogStore;
use crate::io::type_config::Raft;
use crate::lease_keeper::LeaseBook;
use crate::machine::MemoryMachine;
use crate::numbers::Numbers;
use crate::options::Options;
use crate::sessions::Sessions;
use crate::view::View;
use service_host::metrics::Metrics;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What every call of a replica shares.
pub(crate) struct Core {
    pub(crate) options: Options,
    pub(crate) raft: Raft,
    pub(crate) view: Arc<View>,
    pub(crate) driver: Driver,
    pub(crate) leases: LeaseBook,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) sessions: Sessions,
    pub(crate) metrics: Metrics,
    pub(crate) dir: DataDir,
    pub(crate) log: LogStore,
    pub(crate) machine: Arc<MemoryMachine>,
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
        self.raft.ensure_linearizable().await.map(drop).map_err(|error| not_linearizable(&error))
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
