//! The registry as its host sees it: open, serve, close.

use crate::api;
use crate::core::Core;
use crate::driver::{Driver, OWN_ACTOR, ProposeError};
use crate::io::data_dir::DataDir;
use crate::io::network::Network;
use crate::io::state_machine::StateMachine;
use crate::io::tuning;
use crate::io::type_config::Raft;
use crate::lease_keeper::{self, LeaseBook};
use crate::numbers::Numbers;
use crate::open::{self, OpenError};
use crate::options::Options;
use crate::sessions::Sessions;
use crate::view::View;
use openraft::BasicNode;
use openraft::error::Fatal;
use registry_domain::{Configure, Order};
use service_host::metrics::Metrics;
use service_host::server::ServeError;
use service_host::transport::Incoming;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longest wait for a single replica to lead itself: replaying the log is
/// most of it.
const LEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// A registry replica; clones share it.
#[derive(Clone)]
pub struct Registry {
    pub(crate) inner: Arc<Core>,
}

impl Registry {
    /// Opens the data directory, or founds a cluster of one in an empty one,
    /// and waits until a cluster of one leads itself.
    ///
    /// # Errors
    /// The directory is in use, damaged or incomplete; nothing has been
    /// changed in it then.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        let (path, node_id) = (options.data_dir.clone(), options.node_id);
        let (dir, opened) = tokio::task::spawn_blocking(move || {
            let dir = DataDir::open(&path)?;
            let opened = open::open(&dir, node_id)?;
            Ok::<_, OpenError>((dir, opened))
        })
        .await
        .map_err(std::io::Error::other)??;

        let metrics = Metrics::new("registry-svc");
        let view = Arc::new(View::new(opened.machine));
        let numbers = Arc::new(Numbers::new(&metrics, view.clone()));
        let store = Arc::new(opened.store);
        let config = tuning::config().map_err(raft_error)?;
        let network = Network::new(options.token.clone());
        let machine = StateMachine::new(view.clone(), store.clone(), opened.snapshots);
        let raft =
            Raft::new(node_id, Arc::new(config), network, opened.log.clone(), machine).await.map_err(raft_error)?;
        found(&raft, &options).await?;
        lead_alone(&raft).await?;

        let stop = CancellationToken::new();
        let (driver, proposer) = Driver::start(raft.clone(), numbers.clone(), stop.clone());
        let leases = LeaseBook::new(options.lease);
        let keeper = lease_keeper::keep(leases.clone(), raft.clone(), view.clone(), driver.clone(), stop.clone());
        let tasks = vec![proposer, tokio::spawn(keeper), tokio::spawn(abort_on_fault(raft.clone(), stop.clone()))];
        let inner = Core {
            sessions: Sessions::default(),
            tasks: Mutex::new(tasks),
            log: opened.log,
            options,
            raft,
            view,
            driver,
            leases,
            numbers,
            metrics,
            dir,
            store,
            stop,
        };
        let registry = Self { inner: Arc::new(inner) };
        registry.configure().await?;
        Ok(registry)
    }

    /// Serves until `shutdown`.
    ///
    /// # Errors
    /// As the host.
    pub async fn serve(&self, incoming: Incoming, shutdown: CancellationToken) -> Result<(), ServeError> {
        api::serve(self.inner.clone(), incoming, shutdown).await
    }

    /// Its metrics.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.inner.metrics.clone()
    }

    /// What an engineer wants to see in a log when something is odd.
    #[must_use]
    pub fn debug_dump(&self) -> String {
        let raft = self.inner.raft.metrics().borrow().to_string();
        let machine = self.inner.view.read();
        let state = &machine.state;
        format!(
            "revision={} processes={} instances={} nodes={} events={} audit={} raft={raft}",
            state.revision(),
            state.processes().len(),
            state.instances().len(),
            state.nodes().len(),
            state.events().len(),
            state.audit().len(),
        )
    }

    /// Ends it: calls that are still open fail. On return the directory is
    /// free for the next one.
    pub async fn close(self) {
        let inner = self.inner;
        inner.stop.cancel();
        inner.sessions.end_all();
        let tasks = std::mem::take(&mut *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // A task that panicked has said so already.
            let _ = task.await;
        }
        if let Err(error) = inner.raft.shutdown().await {
            tracing::warn!(%error, "the consensus engine did not end by itself");
        }
        let closing = inner.clone();
        let closed = tokio::task::spawn_blocking(move || {
            if let Err(error) = closing.store.flush() {
                // sled hangs when it is dropped on a full disk; ending at once
                // loses nothing, as the log has everything.
                service_host::fatal::abort_on(error);
            }
            closing.store.close();
            closing.log.close();
            closing.dir.unlock();
        });
        // Only a panic while closing; the next start verifies everything.
        let _ = closed.await;
    }

    /// Brings what the cluster has to agree on in line with our options, when
    /// this replica leads.
    async fn configure(&self) -> Result<(), OpenError> {
        let order = Order::Configure(Configure {
            cluster_id: Uuid::new_v4().to_string(),
            event_retention: self.inner.options.event_retention as u64,
            retention: Some(self.inner.options.retention.clone()),
        });
        match self.inner.driver.note(OWN_ACTOR, order).await {
            Ok(_) | Err(ProposeError::NotLeader { .. }) => Ok(()),
            Err(error @ (ProposeError::Timeout | ProposeError::Closing)) => Err(raft_error(error)),
        }
    }
}

fn raft_error(error: impl std::fmt::Display) -> OpenError {
    OpenError::Raft(error.to_string())
}

/// A directory that knows no members becomes a cluster of one.
async fn found(raft: &Raft, options: &Options) -> Result<(), OpenError> {
    if raft.is_initialized().await.map_err(raft_error)? {
        return Ok(());
    }
    let members = BTreeMap::from([(options.node_id, BasicNode::new(&options.advertise))]);
    raft.initialize(members).await.map_err(raft_error)
}

/// A cluster of one needs nobody's vote: it is ready once it leads and has
/// applied its log. In a larger one the others decide, whenever they are there.
async fn lead_alone(raft: &Raft) -> Result<(), OpenError> {
    let alone = raft.metrics().borrow().membership_config.voter_ids().count() <= 1;
    if !alone {
        return Ok(());
    }
    let leads = |m: &openraft::RaftMetrics<u64, BasicNode>| m.current_leader == Some(m.id);
    raft.wait(Some(LEAD_TIMEOUT)).metrics(leads, "leading alone").await.map_err(raft_error)?;
    tokio::time::timeout(LEAD_TIMEOUT, raft.ensure_linearizable()).await.map_err(raft_error)?.map_err(raft_error)?;
    Ok(())
}

/// Storage errors are fail-stop: memory and disk may disagree, so nothing goes
/// on, and the next start verifies everything.
async fn abort_on_fault(raft: Raft, stop: CancellationToken) {
    let mut metrics = raft.metrics();
    loop {
        let state = metrics.borrow_and_update().running_state.clone();
        match state {
            Ok(()) | Err(Fatal::Stopped) => {}
            Err(_) if stop.is_cancelled() => return,
            Err(fatal @ (Fatal::StorageError(_) | Fatal::Panicked)) => service_host::fatal::abort_on(fatal),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = metrics.changed() => if changed.is_err() { return },
        }
    }
}
