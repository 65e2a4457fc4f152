//! The handle on a runner.
//!
//! | file | what |
//! |---|---|
//! | `take_over` | what its predecessor left → instances |
//! | `reload` | what is read anew while it runs |
//! | `dump` | what people are shown on SIGUSR1 |

mod dump;
mod reload;
mod take_over;

use crate::api::{self, LocalInstances};
use crate::clock::RunIds;
use crate::instance::Deps;
use crate::io::journal::{Journal, OpenError};
use crate::io::keeper_link::{KeeperLink, Rotated};
use crate::io::log_store::Store;
use crate::io::policy::{NodePolicy, PolicyError, PolicyInForce};
use crate::io::program::Surroundings;
use crate::io::types_in_force::TypesInForce;
use crate::io::types_plugins::Plugins;
use crate::io::{boot, intake, leftovers, session, slack, types};
use crate::lease::{Confirmed, NodeLease};
use crate::metrics::Counters;
use crate::notice::Notice;
use crate::options::{InvalidOptions, Options};
use crate::roster::{Roster, Update};
use pm_proto::v1::instance_service_server::InstanceServiceServer;
use process_model::{Assignment, InstanceId, NodeName, Phase};
pub use reload::Reload;
use reload::Reloads;
use service_host::metrics::Metrics;
use service_host::secret::Secret;
use service_host::server::{GrpcHost, ServeError};
use service_host::transport::{Incoming, TransportError};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// News that a slow listener may be behind; older ones are lost to it.
const NOTICES: usize = 1024;

/// Time that the registry and the keeper get to hear the last news.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why a runner cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The options are wrong.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// A directory cannot be used.
    #[error("cannot use {path}: {source}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another runner serves the same state directory.
    #[error("another runner serves {path}; stop it, or use another state directory")]
    Busy {
        /// The state directory.
        path: PathBuf,
    },
    /// The journal is damaged or unreadable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The node's policy cannot be used. Going on without it would allow what
    /// it forbids.
    #[error(transparent)]
    Policy(#[from] InvalidPolicy),
    /// No keeper could be reached or started.
    #[error("cannot start the keeper: {0}")]
    Keeper(#[source] io::Error),
    /// An address is malformed.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// What is wrong with the journal; its text names the file and the way out.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct JournalError(#[from] OpenError);

/// What is wrong with the node's policy; its text names the file and the place.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct InvalidPolicy(#[from] PolicyError);

/// A running runner.
pub struct Runner {
    roster: Roster,
    journal: Journal,
    keeper: KeeperLink,
    notices: broadcast::Sender<Notice>,
    node: NodeName,
    token: Secret,
    left_out: Vec<String>,
    reloads: Arc<Reloads>,
    lease: NodeLease,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    _lock: File,
}

/// Makes the stops that are going on faster; outlives the runner.
#[derive(Clone)]
pub struct Hurry(Roster);

impl Hurry {
    /// From now on, stops that are going on do not wait: SIGKILL.
    pub fn hurry(&self) {
        self.0.hurry();
    }

    /// Everything is ended now, in no order.
    pub fn kill(&self) {
        self.0.kill();
    }
}

impl Runner {
    /// Starts a runner: takes over what its predecessor left, then connects.
    ///
    /// # Errors
    /// See [`StartError`]; nothing has been started or stopped then.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        options.check()?;
        make_dir(&options.state_dir, 0o700)?;
        make_dir(&options.log_dir, 0o755)?;
        let lock = lock(&options.state_dir)?;
        let policy = NodePolicy::of(&options.policy_file).map_err(InvalidPolicy)?;
        let journal = Journal::open(&options.state_dir).map_err(JournalError)?;
        let boot_id = boot::boot_id()
            .map_err(|source| StartError::Directory { path: "/proc/sys/kernel/random/boot_id".into(), source })?;
        let rebooted = journal.boot_id().is_some_and(|before| before != boot_id);
        let (keeper, records, newest) = KeeperLink::open(&options.state_dir).await.map_err(StartError::Keeper)?;
        leftovers::end_unheld(&options.state_dir, &journal, &records, rebooted).await;
        let newest_run = newest.max(journal.newest_run());
        let (notices, _) = broadcast::channel(NOTICES);
        let mut loaded = types::load(options.types_dir.as_deref());
        let plugins = match &options.plugins_dir {
            Some(dir) => Plugins::open(dir, &options.state_dir.join("plugins")),
            None => Default::default(),
        };
        loaded.left_out.extend(plugins.1);
        let plugins = plugins.0;
        let known = records.iter().filter_map(|record| record.fence).map(|fence| fence.confirmed).max();
        let lease = NodeLease::new(match known.filter(|_| !rebooted) {
            _ if options.registry.is_none() => Confirmed::Always,
            Some(confirmed) => Confirmed::At(Duration::from_nanos(confirmed)),
            None => Confirmed::Never,
        });
        let deps = Deps {
            keeper: keeper.clone(),
            journal: journal.clone(),
            surroundings: Arc::new(Surroundings {
                node: options.node.clone(),
                log_dir: options.log_dir.clone(),
                types: TypesInForce::new(loaded.types, plugins),
                policy: PolicyInForce::new(policy),
            }),
            run_ids: Arc::new(RunIds::starting_above(newest_run)),
            notices: notices.clone(),
            counters: Counters::default(),
            cooldowns: Default::default(),
            lease: lease.clone(),
            memory: Default::default(),
        };
        let roster = Roster::new(deps);
        roster.recall(journal.elsewhere());
        take_over::take_over(&roster, &journal, &keeper, records, rebooted);
        journal.booted(&boot_id);
        let runner = Self {
            roster,
            journal,
            keeper,
            notices,
            node: options.node.clone(),
            token: options.token.clone(),
            left_out: loaded.left_out,
            reloads: Arc::new(Reloads::new(&options)),
            lease,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            _lock: lock,
        };
        runner.connect(&options, &boot_id)?;
        Ok(runner)
    }

    fn connect(&self, options: &Options, boot_id: &str) -> Result<(), StartError> {
        let store = Store::start(&options.log_dir, options.log_quota, self.shutdown.clone());
        self.tasks.spawn(pass_on_rotations(self.keeper.rotations(), store, self.shutdown.clone()));
        self.tasks.spawn(slack::run(self.journal.news(), self.shutdown.clone()));
        if let Some(dial) = &options.registry {
            let (roster, journal, lease) = (self.roster.clone(), self.journal.clone(), self.lease.clone());
            let session = session::Session::new(options, dial, boot_id, roster, journal, lease)?;
            self.tasks.spawn(session.run(self.shutdown.clone()));
        }
        if let Some(dial) = &options.monitor {
            let intake = intake::Intake::new(options, dial, self.roster.clone())?;
            self.tasks.spawn(intake.run(self.shutdown.clone()));
        }
        Ok(())
    }

    /// Serves this node's own view until `shutdown`.
    pub fn local_service(
        &self,
        incoming: Incoming,
        shutdown: CancellationToken,
    ) -> impl Future<Output = Result<(), ServeError>> + Send + use<> {
        let service = InstanceServiceServer::new(LocalInstances::new(self.roster.clone(), self.node.clone()));
        let host = GrpcHost::new(pm_proto::DESCRIPTORS).token(self.token.clone()).access(api::ACCESS);
        host.service(service).serve(incoming, shutdown)
    }

    /// What of the types directory is left out, and why, a line each:
    /// `file:line:column: what is wrong`. Whoever hosts the runner says it.
    #[must_use]
    pub fn left_out_types(&self) -> &[String] {
        &self.left_out
    }

    /// News from now on.
    #[must_use]
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// What should run, when there is no registry to say it: the whole set.
    pub fn assign(&self, assignments: Vec<Assignment>) {
        self.roster.assign(Update { full: true, set: assignments, ..Update::default() });
    }

    /// The phases of all instances.
    #[must_use]
    pub fn phases(&self) -> Vec<(InstanceId, Phase)> {
        self.roster.seen().into_iter().map(|(id, seen)| (id, seen.view.phase)).collect()
    }

    /// What the operations port shows of this runner.
    pub fn show_metrics(&self, metrics: &Metrics) {
        self.roster.counters().show(metrics, self.roster.clone());
    }

    /// A handle that makes a [`Runner::drain`] faster.
    #[must_use]
    pub fn hurry(&self) -> Hurry {
        Hurry(self.roster.clone())
    }

    /// Stops every instance, though it stays wanted, and ends the keeper.
    /// Bounded by the longest stop sequence. Returns false when something
    /// could not be stopped; the keeper then stays.
    pub async fn drain(mut self) -> bool {
        self.roster.hold().await;
        let _ = tokio::time::timeout(FAREWELL, self.confirmed()).await;
        self.disconnect().await;
        self.keeper.shutdown(FAREWELL).await
    }

    /// Ends the runner and leaves its instances running, held by the keeper
    /// for the next runner.
    pub async fn detach(self) {
        self.disconnect().await;
    }

    /// Waits until the registry, if there is one, has confirmed every report.
    async fn confirmed(&self) {
        if self.tasks.is_empty() {
            return;
        }
        let mut news = self.journal.confirmations();
        while !self.journal.is_confirmed() {
            if news.changed().await.is_err() {
                return;
            }
        }
    }

    async fn disconnect(&self) {
        self.shutdown.cancel();
        self.roster.surroundings().types.close().await;
        self.tasks.close();
        let _ = tokio::time::timeout(FAREWELL, self.tasks.wait()).await;
    }
}

/// Tells who compresses and deletes what was rotated away.
async fn pass_on_rotations(mut rotations: broadcast::Receiver<Rotated>, store: Store, shutdown: CancellationToken) {
    loop {
        let rotated = tokio::select! {
            rotated = rotations.recv() => rotated,
            () = shutdown.cancelled() => return,
        };
        match rotated {
            Ok(Rotated { instance, path }) => store.rotated(&instance, &path),
            // The store looks at the folders by itself now and then.
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

fn make_dir(path: &Path, mode: u32) -> Result<(), StartError> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|source| StartError::Directory { path: path.to_owned(), source })
}

/// Two runners on one directory would start everything twice.
fn lock(state_dir: &Path) -> Result<File, StartError> {
    let path = state_dir.join("runner.lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| StartError::Directory { path, source })?;
    file.try_lock().map_err(|_| StartError::Busy { path: state_dir.to_owned() })?;
    Ok(file)
}
