//! What every call of a replica shares.

use crate::api::{Isolation, Rosters};
use crate::home::Home;
use crate::home::health::DiskHealth;
use crate::identity::Turnstile;
use crate::levels::Levels;
use crate::machine::MemoryMachine;
use crate::office::Office;
use crate::options::Options;
use crate::peers::{AddressBook, Links, Reception};
use crate::refusals::Refusals;
use registry_log::Log;
use service_host::metrics::Metrics;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// What every call of a replica shares: its office, and what that needs not
/// know of, files and sockets.
pub(crate) struct Core {
    pub(crate) office: Arc<Office>,
    pub(crate) options: Options,
    pub(crate) links: Links,
    pub(crate) book: AddressBook,
    pub(crate) reception: Reception,
    pub(crate) levels: Levels,
    pub(crate) isolation: Isolation,
    pub(crate) rosters: Rosters,
    pub(crate) metrics: Metrics,
    pub(crate) home: Arc<Home>,
    pub(crate) log: Arc<Log>,
    pub(crate) machine: Arc<MemoryMachine>,
    pub(crate) disk: watch::Receiver<DiskHealth>,
    /// What its own door refused.
    pub(crate) refusals: Arc<Refusals>,
    /// Tries to join.
    pub(crate) turnstile: Turnstile,
    /// Held while the members are changed.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// A replica has been enrolled, and may want something.
    pub(crate) enrolled: Notify,
    pub(crate) tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Core {
    /// Where the replicas are, as far as is known.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let members = self.consensus.standing().borrow().members.all();
        members.into_iter().map(|id| self.address_of(id)).filter(|address| !address.is_empty()).collect()
    }
}

impl Deref for Core {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}
