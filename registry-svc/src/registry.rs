//! The registry as its host sees it: open, serve, close.

use crate::api;
use crate::clock::Clock;
use crate::cluster::{self, Desk, Gatekeeper, Myself, Settled};
use crate::core::Core;
use crate::door::ServiceDoor;
use crate::home::health::DiskWatch;
use crate::home::{Home, numbers};
use crate::identity::Turnstile;
use crate::keep;
use crate::levels::{self, Levels};
use crate::log_settings;
use crate::machine::{MachineNumbers, MemoryMachine, Pace, Places};
use crate::office::{Ground, Office};
use crate::open::OpenError;
use crate::options::Options;
use crate::peers::{self, AddressBook, Fenced, Links, Timing};
use crate::refusals::Refusals;
use registry_consensus::{Consensus, HandOverEnd, Machine as _, Ports, Settings, Standing};
use registry_domain::members::MemberUp;
use registry_log::{Log, Notice, Notify as LogNotify};
use registry_quorum::recovery::Fence;
use service_host::metrics::Metrics;
use service_host::server::ServeError;
use service_host::transport::Incoming;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for a replica without others to lead itself: replaying the
/// log is most of it.
const LEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// A registry replica; clones share it.
#[derive(Clone)]
pub struct Registry {
    pub(crate) inner: Arc<Core>,
}

/// What was found in the directory.
struct Opened {
    machine: Arc<MemoryMachine>,
    log: Arc<Log>,
    notices: mpsc::UnboundedReceiver<Notice>,
    watch: DiskWatch,
    boot: u64,
}

impl Registry {
    /// Opens the data directory, or founds a cluster in an empty one: alone,
    /// or together with the peers that the options name, for whom it waits.
    /// `listener`: where peers reach this replica; it is listened to while
    /// that lasts. A replica without others leads itself on return.
    ///
    /// # Errors
    /// The directory is in use, damaged, incomplete or not one for these
    /// options; nothing has been changed in it then.
    pub async fn open(options: Options, listener: Option<&TcpListener>) -> Result<Self, OpenError> {
        Self::open_telling(options, listener, Metrics::new("registry-svc"), &watch::Sender::default()).await
    }

    /// The same, with metrics that are shown already; `waiting` is told what it waits for.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_telling(
        options: Options,
        listener: Option<&TcpListener>,
        metrics: Metrics,
        waiting: &watch::Sender<String>,
    ) -> Result<Self, OpenError> {
        let path = options.data_dir.clone();
        let home = Arc::new(blocking(move || Ok(Home::lock(&path)?)).await?);
        let settled = cluster::settle(&home, &options, listener, waiting).await?;
        let opened = open_directory(&home, &settled, &options, &metrics).await?;
        Self::start(options, home, settled, opened, metrics).await
    }

    async fn start(
        options: Options,
        home: Arc<Home>,
        settled: Settled,
        opened: Opened,
        metrics: Metrics,
    ) -> Result<Self, OpenError> {
        let Settled { identity, founders, members } = settled;
        let Opened { machine, log, notices, watch, boot } = opened;
        let me = identity.replica;
        let fence = Fence { cluster: identity.cluster.to_string(), epoch: identity.epoch, id: me };
        let known = founders.as_ref().map(|plan| plan.founders.clone()).unwrap_or_default();
        let gatekeeper = Arc::new(Gatekeeper::new(fence.clone(), &known));
        let book = AddressBook::default();
        known.iter().chain(&members).for_each(|(id, founder)| book.set(*id, &founder.address));
        let up = MemberUp {
            id: me.0,
            store: identity.store.to_string(),
            boot,
            start: seed().max(1),
            address: options.advertise.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            level: options.feature_level,
        };
        let links = Links::new(peers::Settings {
            identity: peers::Identity {
                fence,
                store: identity.store.to_string(),
                boot,
                address: options.advertise.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                start: up.start,
                level: up.level,
            },
            registrar: gatekeeper.clone(),
            book: book.clone(),
            token: options.credentials(),
            timing: Timing::default(),
        })?;
        links.tell_progress(cluster::progress(log.clone(), machine.clone()));
        let is_empty = log.extent().last.is_none() && log.vote().is_none();
        let settings = Settings { election_timeout: options.election_timeout, ..Settings::new(seed()) };
        let ports = Ports { disk: log.clone(), notices, machine: machine.clone(), peers: Arc::new(links.clone()) };
        let consensus = Consensus::start(me, settings, ports).await.map_err(|error| match machine.met_unknown() {
            Some(why) => OpenError::Unknown(why.to_owned()),
            None => error.into(),
        })?;
        gatekeeper.ask(consensus.clone(), machine.view().clone());
        let myself = Arc::new(Myself::new(home.clone(), &options)?);
        myself.knows(known.clone());
        let reception = myself.reception();
        reception.open(&links, Arc::new(ServiceDoor { consensus: consensus.clone(), clock: Clock::system() }));
        if is_empty && !known.is_empty() {
            // Each of the founders writes it, and it is the same first entry whoever does: so none depends on another
            // to learn who votes.
            consensus.found(&known.keys().copied().collect()).await?;
        } else if !members.is_empty() {
            consensus.expect(&members.keys().copied().collect());
        }
        let (office, mut tasks) = Office::open(Ground {
            consensus: consensus.clone(),
            peers: Arc::new(links.clone()),
            book: book.clone(),
            view: machine.view().clone(),
            metrics: metrics.clone(),
            clock: Clock::system(),
            options: options.clone(),
            cluster: identity.cluster.to_string(),
            epoch: identity.epoch,
        });
        let office = Arc::new(office);
        let (stop, view, driver) = (office.stopped().clone(), office.view.clone(), office.driver.clone());
        let acquaint = cluster::acquaint(consensus.clone(), options.clone(), book.clone(), stop.clone());
        let disk = watch.health();
        let levels = Levels {
            ours: options.feature_level,
            others: links.levels(),
            consensus: consensus.clone(),
            view: view.clone(),
        };
        let raise = levels::raise(
            consensus.clone(),
            view.clone(),
            driver.clone(),
            links.levels(),
            options.feature_level,
            stop.clone(),
        );
        let (isolated, isolation) = api::Isolation::new();
        tasks.extend([
            tokio::spawn(raise),
            tokio::spawn(api::tend_watchers(view.clone(), consensus.clone(), isolated, stop.clone())),
            tokio::spawn(keep::abort_on_fault(consensus.clone(), machine.clone(), stop.clone())),
            tokio::spawn(cluster::announce(
                consensus.clone(),
                view.clone(),
                driver.clone(),
                links.clone(),
                up,
                options.identity.as_ref().map(|identity| identity.id().name().to_owned()),
                stop.clone(),
            )),
            tokio::spawn(cluster::follow(consensus, view, book.clone(), myself, known, stop.clone())),
            tokio::spawn(keep::watch_disk(watch, log.clone(), stop)),
        ]);
        let refusals = Arc::new(Refusals::default());
        tasks.push(refusals.clone().reported(office.driver.clone(), office.stopped().clone()));
        let inner = Core {
            refusals,
            turnstile: Turnstile::default(),
            office,
            isolation,
            rosters: api::Rosters::default(),
            tasks: Mutex::new(tasks),
            options,
            links,
            book,
            reception,
            levels,
            metrics,
            home,
            log,
            machine,
            disk,
            changing: tokio::sync::Mutex::default(),
            enrolled: Notify::new(),
        };
        let registry = Self { inner: Arc::new(inner) };
        registry.inner.reception.attend(Arc::new(Desk(Arc::downgrade(&registry.inner))));
        registry.keep(tokio::spawn(cluster::steward(registry.inner.clone())));
        if registry.inner.options.is_alone() {
            registry.leads_alone().await?;
        } else {
            registry.keep(tokio::spawn(acquaint));
        }
        Ok(registry)
    }

    fn keep(&self, task: JoinHandle<()>) {
        self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// A replica without others needs nobody's vote: it is ready once it leads
    /// and has applied its log. One of several waits for the others, whenever
    /// they are there.
    async fn leads_alone(&self) -> Result<(), OpenError> {
        let consensus = &self.inner.consensus;
        let mut standing = consensus.standing();
        // It may have got others since it was founded; its log says so as soon as it is read.
        let has_others = |standing: &Standing| standing.members.all().len() > 1;
        let settled = standing.wait_for(|standing| standing.leads() || has_others(standing));
        match tokio::time::timeout(LEAD_TIMEOUT, settled).await.map_err(|_| OpenError::NotLeading)? {
            Ok(standing) if has_others(&standing) => return Ok(()),
            // It leads, or its engine ended, which is told elsewhere.
            Ok(_) | Err(_) => {}
        }
        let applied = tokio::time::timeout(LEAD_TIMEOUT, consensus.read_barrier()).await;
        applied.map_err(|_| OpenError::NotLeading)?.map_err(|_| OpenError::NotLeading)?;
        let configured = keep::is_configured(consensus, &self.inner.view);
        tokio::time::timeout(LEAD_TIMEOUT, configured).await.map_err(|_| OpenError::NotLeading)
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

    /// Where this replica stands, and each change of it.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.inner.consensus.standing()
    }

    /// Set once the others have turned this replica away for good: the
    /// process has to end, and say why.
    #[must_use]
    pub fn fenced(&self) -> watch::Receiver<Option<Fenced>> {
        self.inner.links.fenced()
    }

    /// Writes down, in its directory, that its own cluster turned this replica away.
    pub fn remember(&self, fenced: &Fenced) {
        if fenced.for_good
            && let Err(error) = self.inner.home.turn_away(&fenced.why)
        {
            tracing::error!(%error, "cannot write down that the cluster turned this replica away");
        }
    }

    /// Hands leadership over, if this replica has it, before it is closed.
    pub async fn hand_over(&self) {
        let others = self.inner.consensus.standing().borrow().members.voters.all().len() > 1;
        if self.inner.consensus.is_leader() && others {
            let end: HandOverEnd = self.inner.consensus.hand_over(None).await;
            tracing::info!(%end, "handed over before closing");
        }
    }

    /// What an engineer wants to see in a log when something is odd.
    #[must_use]
    pub fn debug_dump(&self) -> String {
        let machine = self.inner.view.read();
        let state = &machine.state;
        format!(
            "revision={} processes={} instances={} nodes={} events={} audit={} standing={:?} reached={:?}",
            state.revision(),
            state.processes().len(),
            state.instances().len(),
            state.nodes().len(),
            state.events().len(),
            state.audit().len(),
            *self.inner.consensus.standing().borrow(),
            self.inner.consensus.reached(),
        )
    }

    /// Ends it: calls that are still open fail. On return the directory is
    /// free for the next one.
    pub async fn close(self) {
        let inner = self.inner;
        inner.office.close();
        inner.links.stop();
        let tasks = std::mem::take(&mut *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // A task that panicked has said so already.
            let _ = task.await;
        }
        inner.consensus.stop().await;
        let closing = inner.clone();
        let closed = tokio::task::spawn_blocking(move || {
            closing.machine.close();
            if let Err(error) = closing.log.close() {
                tracing::error!(%error, "the log did not close");
            }
            closing.home.unlock();
        });
        // Only a panic while closing; the next start verifies everything.
        let _ = closed.await;
    }
}

/// Different on each start, so that replicas do not stand in the same
/// millisecond for ever.
fn seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}

async fn open_directory(
    home: &Arc<Home>,
    settled: &Settled,
    options: &Options,
    metrics: &Metrics,
) -> Result<Opened, OpenError> {
    let machine_numbers = MachineNumbers::default();
    machine_numbers.register(metrics);
    let (home, identity, node_id) = (home.clone(), settled.identity, options.node_id);
    let known = options.feature_level;
    let metrics = metrics.clone();
    // As long as the others would wait for a leader: whoever leads then hands over before they do.
    let watch = DiskWatch::new(options.election_timeout);
    let watched = watch.clone();
    blocking(move || {
        if node_id != 0 {
            identity.must_be(registry_quorum::ReplicaId(node_id))?;
        }
        let places = Places { state: home.state(), snapshots: home.snapshots() };
        let machine = Arc::new(MemoryMachine::open(&places, Pace::default(), machine_numbers)?);
        let level = machine.view().read().state.meta().level();
        if level > known {
            return Err(OpenError::Level { level, known });
        }
        machine.knows_up_to(known);
        let applied = machine.applied().at;
        let snapshot = machine.newest_snapshot().ok().flatten().and_then(|snapshot| snapshot.meta.at);
        // What came as a snapshot from a peer may be ahead of the log.
        let from_log = applied.filter(|at| Some(*at) != snapshot);
        let from_log = from_log.map(|at| registry_log::Position { term: at.term, index: at.index });
        let (tell, notices) = mpsc::unbounded_channel();
        let notify = LogNotify::new(move |notice| {
            watched.take(&notice);
            match notice {
                // Comes with every write on an idle disk, and nobody there needs it.
                Notice::Busy => {}
                // The receiver lives as long as the consensus.
                Notice::Space(_) | Notice::Failed(_) => drop(tell.send(notice)),
            }
        });
        let settings = registry_log::Settings { notify: Some(notify), ..log_settings() };
        let (log, survey) = home.open_log(&identity, &settings, from_log)?;
        let purged = log.extent().purged.map(|at| at.index);
        if purged > applied.map(|at| at.index) {
            return Err(OpenError::Hole { purged: purged.unwrap_or_default() });
        }
        let log = Arc::new(log);
        numbers::register(&metrics, log.clone());
        Ok(Opened { machine, log, notices, watch, boot: survey.boot })
    })
    .await
}
