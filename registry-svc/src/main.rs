//! `registry-svc`: parses its configuration, opens the registry, serves until
//! told to stop.

use anyhow::bail;
use clap::{CommandFactory as _, Parser};
use registry_svc::machine::payload::LEVEL;
use registry_svc::{Entry, OpenError, Options, Registry, Retention, is_address};
use service_host::config::{LogArgs, RemoteArgs, TokenArgs};
use service_host::identity::{Authority, Clients, Identity, Role, TlsArgs};
use service_host::metrics::Metrics;
use service_host::ops::{self, OpsState, Readiness};
use service_host::transport::Incoming;
use service_host::{healthcheck, manual, open_files, signals, systemd, telemetry};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The registry: stores what should run, decides where, and knows what does.
#[derive(Parser)]
#[command(version, max_term_width = 100, subcommand_negates_reqs = true)]
struct Args {
    /// Directory of log, state and snapshots; on a real file system, not tmpfs.
    #[arg(long, env = "PM_REGISTRY_DATA_DIR", default_value = "/var/lib/pm/registry", value_name = "DIR")]
    data_dir: PathBuf,
    /// Where clients, runners and peers connect.
    #[arg(long, env = "PM_REGISTRY_LISTEN", default_value = "127.0.0.1:7481", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where health and metrics are served, without a token.
    #[arg(long, env = "PM_REGISTRY_OPS_LISTEN", default_value = "127.0.0.1:7491", value_name = "ADDRESS")]
    ops_listen: SocketAddr,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    tls: TlsArgs,
    /// Key of the CA in --tls-ca: with it this registry certifies nodes that join (pmctl nodes join-command).
    #[arg(long, env = "PM_TLS_CA_KEY", value_name = "FILE")]
    tls_ca_key: Option<PathBuf>,
    /// How long a node's certificate counts; its runner has it renewed when two thirds of that are over.
    #[arg(long, env = "PM_NODE_CERTIFICATE_LIFE", default_value = "30d", value_name = "DURATION", value_parser = certificate_life)]
    node_certificate_life: Duration,
    /// The number that this replica must have; its data directory says which one it has.
    #[arg(long, env = "PM_REGISTRY_NODE_ID", value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
    node_id: Option<u64>,
    /// Address under which peers reach this replica, as http://HOST:PORT.
    #[arg(long, env = "PM_REGISTRY_ADVERTISE", default_value = "", value_name = "URL")]
    advertise: String,
    /// Where the other replicas may be, as http://HOST:PORT,…; may name this one, too.
    #[arg(long, env = "PM_REGISTRY_PEERS", value_delimiter = ',', value_name = "URLS")]
    peers: Vec<String>,
    /// A name with an address for each replica, as HOST:PORT (a headless service in Kubernetes).
    #[arg(long, env = "PM_REGISTRY_PEERS_DNS", value_name = "HOST:PORT")]
    peers_dns: Option<String>,
    /// How many replicas found the cluster together.
    #[arg(long, env = "PM_REGISTRY_REPLICAS", default_value_t = 1, value_name = "N")]
    replicas: usize,
    /// Joins a cluster that exists, and never founds one; =voter: votes as soon as it has caught up; =auto: votes, too,
    /// and founds one with --replicas others when no peer belongs to one yet.
    #[arg(long, env = "PM_REGISTRY_JOIN", value_name = "AS", num_args = 0..=1, require_equals = true, default_missing_value = "learner")]
    join: Option<JoinAs>,
    /// Silence of the leader after which the others replace it; a dead process is noticed at once.
    #[arg(long, env = "PM_REGISTRY_ELECTION_TIMEOUT", default_value = "1s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    election_timeout: Duration,
    /// How often runners show that they live.
    #[arg(long, env = "PM_HEARTBEAT_INTERVAL", default_value = "2s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    heartbeat_interval: Duration,
    /// Silence after which a node counts as lost; at least three heartbeats.
    #[arg(long, env = "PM_LEASE", default_value = "10s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    lease: Duration,
    /// Runners that are received in a second; when more come at once, the others are told when to come again.
    #[arg(long, env = "PM_SESSIONS_PER_SECOND", default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=100_000))]
    sessions_per_second: u32,
    /// Events that are kept for watchers.
    #[arg(long, env = "PM_EVENT_RETENTION", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    event_retention: u32,
    /// Audit entries that are kept.
    #[arg(long, env = "PM_AUDIT_RETENTION", default_value_t = 10_000, value_name = "ENTRIES", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    audit_retention: u32,
    /// Longest age of an audit entry that is kept, as 90d [default: any].
    #[arg(long, env = "PM_AUDIT_MAX_AGE", value_name = "DURATION", value_parser = humantime::parse_duration)]
    audit_max_age: Option<Duration>,
    /// Specs of each process that are kept, for history and rollback.
    #[arg(long, env = "PM_GENERATIONS", default_value_t = 1_000, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    generations: u32,
    /// Highest level of commands that this replica knows, to hold an upgrade back [default: all that this version knows].
    #[arg(long, env = "PM_REGISTRY_FEATURE_LEVEL_MAX", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    feature_level_max: Option<u16>,
    #[command(flatten)]
    token: TokenArgs,
    #[command(subcommand)]
    command: Option<healthcheck::Command>,
    #[command(flatten)]
    log: LogArgs,
}

fn certificate_life(text: &str) -> Result<Duration, String> {
    let life = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(10)..=Duration::from_secs(366 * 24 * 3600)).contains(&life) {
        return Ok(life);
    }
    Err("is out of range; write 10s to 366d".to_owned())
}

/// As what a replica joins.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum JoinAs {
    /// It receives the log, and an operator gives it its vote: `pmctl cluster join`.
    #[value(alias = "true")]
    Learner,
    /// It votes as soon as it has caught up.
    Voter,
    /// The same if there is a cluster; else it founds one with the others.
    Auto,
}

impl JoinAs {
    fn entry(self) -> Entry {
        match self {
            Self::Learner | Self::Voter => Entry::Join,
            Self::Auto => Entry::Either,
        }
    }
}

impl Args {
    fn options(&self) -> anyhow::Result<Options> {
        if self.heartbeat_interval.is_zero() || self.lease < self.heartbeat_interval * 3 {
            bail!("--lease has to be at least three times --heartbeat-interval, and that more than 0");
        }
        let identity = self.tls.identity(Role::Registry)?;
        self.check_peers(identity.as_ref())?;
        let token = self.token.read(identity.as_ref())?;
        Ok(Options {
            authority: self.authority(identity.as_ref())?,
            identity,
            node_certificate_life: self.node_certificate_life,
            node_id: self.node_id.unwrap_or(0),
            advertise: self.advertise.clone(),
            peers: self.peers.clone(),
            peers_dns: self.peers_dns.clone(),
            replicas: self.replicas,
            entry: self.join.map_or(Entry::Found, JoinAs::entry),
            join_votes: self.join.is_some_and(|how| how != JoinAs::Learner),
            election_timeout: self.election_timeout,
            heartbeat_interval: self.heartbeat_interval,
            lease: self.lease,
            sessions_per_second: self.sessions_per_second,
            event_retention: self.event_retention as usize,
            retention: Retention {
                audit_entries: self.audit_retention.into(),
                audit_age: self.audit_max_age,
                generations: self.generations.into(),
            },
            feature_level: self.feature_level_max.map_or(LEVEL, |max| max.min(LEVEL)),
            ..Options::new(&self.data_dir, token)
        })
    }
}

impl Args {
    fn authority(&self, identity: Option<&Identity>) -> anyhow::Result<Option<Authority>> {
        match (&self.tls_ca_key, identity) {
            (None, _) => Ok(None),
            (Some(key), Some(identity)) => Ok(Some(Authority::load(&identity.files().ca, key)?)),
            (Some(_), None) => bail!("--tls-ca-key needs the CA and this replica's own certificate: give --tls-dir"),
        }
    }

    fn check_peers(&self, identity: Option<&Identity>) -> anyhow::Result<()> {
        let alone = self.peers.is_empty() && self.peers_dns.is_none();
        if alone && (self.replicas != 1 || self.join.is_some()) {
            bail!(
                "--replicas {} or --join needs to know where the others are: give --peers or --peers-dns",
                self.replicas
            );
        }
        if !alone && self.advertise.is_empty() {
            bail!("--peers needs --advertise http://HOST:PORT, under which the others reach this replica");
        }
        for address in self.peers.iter().chain((!self.advertise.is_empty()).then_some(&self.advertise)) {
            let scheme = if identity.is_some() { "https" } else { "http" };
            if !is_address(address) || address.split_once("://").is_none_or(|(said, _)| said != scheme) {
                bail!(
                    "{address:?} is no address of a replica that has {}: write {scheme}://HOST:PORT",
                    match identity {
                        Some(_) => "a certificate",
                        None => "no certificate (--tls-dir)",
                    }
                );
            }
        }
        if !(Duration::from_millis(300)..=Duration::from_secs(60)).contains(&self.election_timeout) {
            bail!(
                "--election-timeout {} is out of range: 300ms to 60s",
                humantime::format_duration(self.election_timeout)
            );
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    manual::write_if_asked(Args::command(), "8");
    let args = Args::parse();
    let done = match args.command.clone() {
        Some(healthcheck::Command::Healthcheck(check)) => ask(&check, args.ops_listen),
        None => args.options().and_then(|options| start(args, options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The last line that an operator sees, whatever the log's format.
            eprintln!("registry-svc: {error:#}");
            let code = error.downcast_ref::<OpenError>().map(OpenError::exit_code);
            ExitCode::from(code.or_else(|| error.downcast_ref::<TurnedAway>().map(|_| TURNED_AWAY)).unwrap_or(1))
        }
    }
}

/// As for every error of configuration: starting it again as it is would not help.
const TURNED_AWAY: u8 = 78;

/// The other replicas do not take this one for one of them.
#[derive(Debug, thiserror::Error)]
#[error("replica {by} turned this replica away: {why}")]
struct TurnedAway {
    by: u64,
    why: String,
}

fn ask(check: &healthcheck::Args, listens: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(check.ask(listens))?)
}

fn start(args: Args, options: Options) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(args, options))
}

async fn run(args: Args, options: Options) -> anyhow::Result<()> {
    let telemetry = telemetry::init(args.log.telemetry("registry-svc"))?;
    open_files::raise();
    let shutdown = CancellationToken::new();
    let terminated = signals::terminated();

    // Both ports before the directory: an address in use must not cost a
    // recovery.
    let identity = options.identity.clone();
    let listener = args.tls.bind(identity.as_ref(), &args.remote, args.listen).await?;
    let ops_listener = args.remote.bind(args.ops_listen).await?;
    let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
    tokio::pin!(terminated);
    // From the first moment on: whoever probes it sees that it lives, and what it waits for.
    let metrics = Metrics::new("registry-svc");
    if let Some(identity) = &identity {
        identity.register(&metrics);
        tokio::spawn(identity.watch(shutdown.clone())?);
    }
    let (ready, readiness) = ops::readiness();
    tokio::spawn(systemd::tell(readiness.clone(), shutdown.clone()));
    let ops = ops::serve(ops_listener, OpsState { metrics: metrics.clone(), ready: readiness }, shutdown.clone());
    let ops = tokio::spawn(ops);
    let waiting = watch::Sender::new("this replica is starting".to_owned());
    let registry = tokio::select! {
        registry = Registry::open_telling(options, Some(&listener), metrics, &waiting) => registry?,
        () = tell(waiting.subscribe(), &ready) => return Ok(()),
        // Nothing was promised to anybody yet.
        () = &mut terminated => return Ok(()),
    };
    let dumped = registry.clone();
    let dumps = signals::on_debug_dump(move || tracing::info!(dump = dumped.debug_dump(), "debug dump"))?;

    tracing::info!(%address, %ops_address, "the registry is ready");
    let incoming = Incoming::tcp(listener, identity.as_ref(), Clients::Joining);
    let serving = tokio::spawn({
        let (registry, shutdown) = (registry.clone(), shutdown.clone());
        async move { registry.serve(incoming, shutdown).await }
    });
    let mut fenced = registry.fenced();
    let mut standing = registry.standing();
    let turned_away = loop {
        let leader = standing.borrow_and_update().leader;
        ready.send_replace(match leader {
            Some(_) => Readiness::Ready,
            None => Readiness::NotReady("no leader is known".to_owned()),
        });
        tokio::select! {
            () = &mut terminated => break None,
            Ok(fence) = fenced.wait_for(Option::is_some) => {
                break fence.as_ref().map(|fence| {
                    registry.remember(fence);
                    TurnedAway { by: fence.by.0, why: fence.why.clone() }
                });
            }
            changed = standing.changed() => if changed.is_err() { break None },
        }
    };
    ready.send_replace(Readiness::NotReady("shutting down".to_owned()));
    if turned_away.is_none() {
        registry.hand_over().await;
    }
    shutdown.cancel();
    let served = serving.await?;
    // Its clone of the registry goes with it.
    dumps.abort();
    let ops_served = ops.await;
    registry.close().await;
    telemetry.shutdown();
    served?;
    ops_served??;
    turned_away.map_or(Ok(()), |turned| Err(turned.into()))
}

/// Shows what is being waited for; ends with whoever waits.
async fn tell(mut waiting: watch::Receiver<String>, ready: &watch::Sender<Readiness>) {
    while waiting.changed().await.is_ok() {
        ready.send_replace(Readiness::NotReady(waiting.borrow_and_update().clone()));
    }
}
