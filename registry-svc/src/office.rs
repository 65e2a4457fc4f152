//! What of a replica needs neither files nor sockets: takes commands in,
//! forwards them to whoever leads, keeps the leases of nodes, receives runners.
//! It stands on a consensus, the links to the others and the replicated state,
//! wherever these come from: in a simulation they are made of memory.

use crate::api::{not_linearizable, receive_runner};
use crate::clock::Clock;
pub use crate::driver::{Answer, ProposeError};
use crate::driver::{Driver, Way};
use crate::heartbeats::{Admission, Assurance, LeaseBook, LeaseKeeper, Pace, Pacing};
use crate::keep;
use crate::line_desk::LineDesk;
use crate::numbers::Numbers;
use crate::options::Options;
use crate::peers::AddressBook;
use crate::sessions::Sessions;
use crate::standing_numbers;
use crate::timekeeper;
use crate::view::View;
use futures::Stream;
use pm_proto::v1;
use process_model::Timestamp;
use registry_consensus::{Consensus, Peers, ReplicaId};
use registry_domain::{Command, Meta};
use service_host::identity::Caller;
use service_host::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// So long a replica that was told of a reply by its leader waits until it has
/// heard the same by way of the log.
const HEARD_OF: Duration = Duration::from_secs(2);

/// What an office stands on.
pub struct Ground {
    /// This replica's part in the consensus.
    pub consensus: Consensus,
    /// The way to the other replicas.
    pub peers: Arc<dyn Peers>,
    /// Where they are.
    pub book: AddressBook,
    /// What is replicated.
    pub view: Arc<View>,
    /// Where it counts.
    pub metrics: Metrics,
    /// The time of day.
    pub clock: Clock,
    /// Leases, retention, own address.
    pub options: Options,
    /// Id of the cluster.
    pub cluster: String,
    /// How often it was recovered or restored by force.
    pub epoch: u64,
}

/// An office that is open.
pub struct Office {
    pub(crate) consensus: Consensus,
    pub(crate) view: Arc<View>,
    pub(crate) driver: Driver,
    pub(crate) way: Arc<Way>,
    pub(crate) leases: LeaseBook,
    pub(crate) admission: Arc<Admission>,
    pub(crate) assurance: Assurance,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) sessions: Sessions,
    pub(crate) lines: LineDesk,
    /// As this replica's directory has it; the state has it once the first leader has written it down.
    pub(crate) cluster: String,
    epoch: u64,
    advertise: String,
    clock: Clock,
    /// Ends everything that runs beside the calls.
    stop: CancellationToken,
}

impl Office {
    /// Opens it. What is returned beside it runs until [`close`](Self::close).
    #[must_use]
    pub fn open(ground: Ground) -> (Self, Vec<JoinHandle<()>>) {
        let Ground { consensus, peers, book, view, metrics, clock, options, cluster, epoch } = ground;
        let stop = CancellationToken::new();
        let numbers = Arc::new(Numbers::new(&metrics, view.clone()));
        standing_numbers::register(&metrics, consensus.clone());
        let way = Arc::new(Way { consensus: consensus.clone(), peers, book });
        let (driver, proposer) = Driver::start(way.clone(), numbers.clone(), clock.clone(), stop.clone());
        let least = Pace { interval: options.heartbeat_interval, lease: options.lease };
        let leases = LeaseBook::new(Pacing { least, per_second: options.heartbeats_per_second });
        let admission = Arc::new(Admission::new(options.sessions_per_second));
        let (assurance, assured) = Assurance::new(consensus.clone(), stop.clone());
        let keeper = LeaseKeeper {
            book: leases.clone(),
            admission: admission.clone(),
            consensus: consensus.clone(),
            view: view.clone(),
            driver: driver.clone(),
        };
        let wanted = keep::Wanted::new(cluster.clone(), &options);
        let configured = keep::configured(consensus.clone(), view.clone(), driver.clone(), wanted, stop.clone());
        let keeper = tokio::spawn(keeper.run(stop.clone()));
        let timekeeper = timekeeper::keep(consensus.clone(), view.clone(), driver.clone(), clock.clone(), stop.clone());
        let (configured, timekeeper) = (tokio::spawn(configured), tokio::spawn(timekeeper));
        let tasks = vec![proposer, keeper, tokio::spawn(assured), configured, timekeeper];
        let Options { advertise, .. } = options;
        let sessions = Sessions::default();
        let office = Self {
            consensus,
            view,
            driver,
            way,
            leases,
            admission,
            assurance,
            numbers,
            sessions,
            lines: LineDesk::default(),
            cluster,
            epoch,
            advertise,
            clock,
            stop,
        };
        (office, tasks)
    }

    /// Commits a command through whoever leads; `bytes` is about its size.
    ///
    /// # Errors
    /// Outer: there is no answer. Inner: it was refused.
    pub async fn propose(&self, command: Command, bytes: usize) -> Answer {
        self.driver.propose(command, bytes).await
    }

    /// Talks with a runner until either side ends it, or `shutdown` does.
    ///
    /// # Errors
    /// It is not received here, with the reason as the runner is told.
    pub async fn receive_runner<S>(
        self: &Arc<Self>,
        incoming: S,
        shutdown: CancellationToken,
    ) -> Result<ReceiverStream<Result<v1::RunSessionResponse, Status>>, Status>
    where
        S: Stream<Item = Result<v1::RunSessionRequest, Status>> + Send + Unpin + 'static,
    {
        receive_runner(self.clone(), &Caller::Trusted, incoming, shutdown).await
    }

    /// Waits until this replica's state is at least as new as everything that
    /// was acknowledged before the call; not when `stale`.
    pub(crate) async fn read_barrier(&self, stale: bool) -> Result<(), Status> {
        if stale {
            return Ok(());
        }
        self.consensus.read_barrier().await.map(drop).map_err(|fault| not_linearizable(&fault))
    }

    /// Waits until what a reply tells is known here as well, so that answers
    /// which are made of the state show it: a follower hears that an entry is
    /// committed a moment after its leader does. Where it hears nothing of it
    /// for long, they show what is known.
    pub(crate) async fn knows(&self, revision: u64) {
        let mut applied = self.consensus.applied();
        let known = applied.wait_for(|_| self.view.read().state.revision() >= revision);
        let _ = tokio::time::timeout(HEARD_OF, known).await;
    }

    /// The error of a call that only a leader can answer.
    pub(crate) fn no_leader(&self) -> ProposeError {
        self.way.no_leader()
    }

    /// Where a replica is reached; its likeliest address.
    pub(crate) fn address_of(&self, id: ReplicaId) -> String {
        if id == self.consensus.standing().borrow().me {
            return self.advertise.clone();
        }
        self.way.book.of(id).into_iter().next().unwrap_or_default()
    }

    /// Epoch of the cluster as nodes know it: it grows when the cluster is
    /// recovered, which its replicas know, and when it is restored, which its
    /// state knows.
    pub(crate) fn epoch_of(&self, meta: &Meta) -> u64 {
        self.epoch.saturating_add(meta.epoch)
    }

    /// The replicas' own part of it.
    pub(crate) fn fence_epoch(&self) -> u64 {
        self.epoch
    }

    /// The time to put into a command.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Ends with the registry.
    pub(crate) fn stopped(&self) -> &CancellationToken {
        &self.stop
    }

    /// Everything that runs here ends, and every session.
    pub fn close(&self) {
        self.stop.cancel();
        self.sessions.end_all();
    }
}
