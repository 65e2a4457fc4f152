//! What runs beside the calls: the cluster's settings are written down by
//! whoever leads first, and a broken engine ends the process.

use crate::driver::{Driver, OWN_ACTOR};
use crate::home::health::DiskWatch;
use crate::machine::MemoryMachine;
use crate::options::Options;
use crate::view::View;
use registry_consensus::Consensus;
use registry_domain::{Configure, Order};
use registry_log::Log;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the cluster should have been told.
pub(crate) struct Wanted {
    configure: Configure,
    /// A replica without others decides by its flags; several would each
    /// change it at every election, so there the first word counts.
    always: bool,
}

impl Wanted {
    pub(crate) fn new(cluster_id: String, options: &Options) -> Self {
        let configure = Configure {
            cluster_id,
            event_retention: options.event_retention as u64,
            // As the state will have it: what differs is not written again and again.
            retention: Some(options.retention.clone().within_bounds()),
        };
        Self { configure, always: options.is_alone() }
    }

    fn is_missing(&self, view: &View, alone: bool) -> bool {
        let replicated = view.read();
        let meta = replicated.state.meta();
        let Configure { cluster_id: _, event_retention, retention } = &self.configure;
        let differs = meta.event_retention != *event_retention
            || retention.as_ref().is_some_and(|wanted| meta.retention != *wanted);
        meta.cluster_id.is_empty() || self.always && alone && differs
    }
}

/// Writes down what the cluster has to agree on, when this replica leads and
/// nobody has done it yet.
pub(crate) async fn configured(
    consensus: Consensus,
    view: Arc<View>,
    driver: Driver,
    wanted: Wanted,
    stop: CancellationToken,
) {
    let mut standing = consensus.standing();
    loop {
        let leads = standing.borrow_and_update().leads();
        // It may have got others since.
        let alone = standing.borrow().members.all().len() == 1;
        if leads && consensus.read_barrier().await.is_ok() && wanted.is_missing(&view, alone) {
            let order = Order::Configure(wanted.configure.clone());
            match driver.note(OWN_ACTOR, order).await {
                Ok(Ok(_)) => {}
                Ok(Err(refusal)) => tracing::error!(%refusal, "the cluster's settings were refused"),
                // Whoever leads next does it.
                Err(error) => tracing::info!(%error, "the cluster's settings were not written"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = standing.changed() => if changed.is_err() { return },
        }
    }
}

/// Waits until the settings are there.
pub(crate) async fn is_configured(consensus: &Consensus, view: &View) {
    // Settings are no event: they change no revision.
    let mut applied = consensus.applied();
    while view.read().state.meta().cluster_id.is_empty() {
        if applied.changed().await.is_err() {
            return;
        }
    }
}

/// What this version does not know, starting it again does not teach it: as for
/// every error of configuration.
const NOT_KNOWN: u8 = 78;

/// Storage errors are fail-stop: memory and disk may disagree, so nothing goes
/// on, and the next start verifies everything.
pub(crate) async fn abort_on_fault(consensus: Consensus, machine: Arc<MemoryMachine>, stop: CancellationToken) {
    let mut standing = consensus.standing();
    loop {
        let fault = standing.borrow_and_update().fault.clone();
        if let Some(fault) = fault
            && !stop.is_cancelled()
        {
            if let Some(why) = machine.met_unknown() {
                service_host::fatal::exit_on(NOT_KNOWN, why);
            }
            service_host::fatal::abort_on(fault);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = standing.changed() => if changed.is_err() { return },
        }
    }
}

/// Watches how the disk fares, for whoever asks.
pub(crate) async fn watch_disk(watch: DiskWatch, disk: Arc<Log>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = watch.watch(disk) => {}
    }
}
