//! `registry-svc`: parses its configuration, opens the registry, serves until
//! told to stop.

use anyhow::bail;
use clap::Parser;
use registry_svc::{Options, Registry, Retention};
use service_host::config::{LogArgs, RemoteArgs, TokenArgs};
use service_host::ops::{self, OpsState, Readiness};
use service_host::transport::Incoming;
use service_host::{signals, telemetry};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The registry: stores what should run, decides where, and knows what does.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
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
    /// Id of this replica, from 1.
    #[arg(long, env = "PM_REGISTRY_NODE_ID", default_value_t = 1, value_name = "ID")]
    node_id: u64,
    /// Address under which peers reach this replica, as http://HOST:PORT.
    #[arg(long, env = "PM_REGISTRY_ADVERTISE", default_value = "", value_name = "URL")]
    advertise: String,
    /// How often runners show that they live.
    #[arg(long, env = "PM_HEARTBEAT_INTERVAL", default_value = "2s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    heartbeat_interval: Duration,
    /// Silence after which a node counts as lost; at least three heartbeats.
    #[arg(long, env = "PM_LEASE", default_value = "10s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    lease: Duration,
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
    #[command(flatten)]
    token: TokenArgs,
    #[command(flatten)]
    log: LogArgs,
}

impl Args {
    fn options(&self) -> anyhow::Result<Options> {
        if self.heartbeat_interval.is_zero() || self.lease < self.heartbeat_interval * 3 {
            bail!("--lease has to be at least three times --heartbeat-interval, and that more than 0");
        }
        Ok(Options {
            node_id: self.node_id,
            advertise: self.advertise.clone(),
            heartbeat_interval: self.heartbeat_interval,
            lease: self.lease,
            event_retention: self.event_retention as usize,
            retention: Retention {
                audit_entries: self.audit_retention.into(),
                audit_age: self.audit_max_age,
                generations: self.generations.into(),
            },
            ..Options::new(&self.data_dir, self.token.read()?)
        })
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let options = args.options()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(args, options))
}

async fn run(args: Args, options: Options) -> anyhow::Result<()> {
    let telemetry = telemetry::init(args.log.telemetry("registry-svc"))?;
    let shutdown = CancellationToken::new();
    let terminated = signals::terminated();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        terminated.await;
        stop.cancel();
    });

    // Both ports before the directory: an address in use must not cost a
    // recovery.
    let listener = args.remote.bind(args.listen).await?;
    let ops_listener = args.remote.bind(args.ops_listen).await?;
    let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
    let registry = Registry::open(options).await?;
    let dumped = registry.clone();
    let dumps = signals::on_debug_dump(move || tracing::info!(dump = dumped.debug_dump(), "debug dump"))?;

    let (ready, readiness) = ops::readiness();
    let ops = ops::serve(ops_listener, OpsState { metrics: registry.metrics(), ready: readiness }, shutdown.clone());
    let ops = tokio::spawn(ops);
    ready.send_replace(Readiness::Ready);
    tracing::info!(%address, %ops_address, "the registry is ready");
    let served = registry.serve(Incoming::Tcp(listener), shutdown.clone()).await;
    ready.send_replace(Readiness::NotReady("shutting down".to_owned()));
    shutdown.cancel();
    // Its clone of the registry goes with it.
    dumps.abort();
    let ops_served = ops.await;
    registry.close().await;
    telemetry.shutdown();
    served?;
    Ok(ops_served??)
}
