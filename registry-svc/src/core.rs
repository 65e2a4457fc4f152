//! What every call of a replica shares.

use crate::home::Home;
use crate::machine::MemoryMachine;
use crate::office::Office;
use crate::options::Options;
use crate::peers::{Links, Reception};
use registry_log::Log;
use service_host::metrics::Metrics;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// What every call of a replica shares: its office, and what that needs not
/// know of, files and sockets.
pub(crate) struct Core {
    pub(crate) office: Arc<Office>,
    pub(crate) options: Options,
    pub(crate) links: Links,
    pub(crate) reception: Reception,
    pub(crate) metrics: Metrics,
    pub(crate) home: Arc<Home>,
    pub(crate) log: Arc<Log>,
    pub(crate) machine: Arc<MemoryMachine>,
    pub(crate) tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Deref for Core {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}
