//! monitor-svc: reads its configuration, builds a [`Monitor`], serves until it
//! is told to stop.

use anyhow::Context;
use clap::{CommandFactory as _, Parser};
use monitor_svc::{Monitor, Options};
use service_host::config::{LogArgs, RemoteArgs, TokenArgs};
use service_host::identity::{Clients, Role, TlsArgs};
use service_host::ops::{self, OpsState, Readiness};
use service_host::transport::Incoming;
use service_host::{healthcheck, manual, open_files, signals, systemd, telemetry};
use std::net::SocketAddr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Keeps what runners measure, relays logs, shows metrics.
#[derive(Debug, Parser)]
#[command(name = "monitor-svc", version, subcommand_negates_reqs = true)]
struct Args {
    /// Where runners and clients connect
    #[arg(long, env = "PM_MONITOR_LISTEN", default_value = "127.0.0.1:7482", value_name = "HOST:PORT")]
    listen: SocketAddr,
    /// Where health and metrics are shown, without a token
    #[arg(long, env = "PM_MONITOR_OPS_LISTEN", default_value = "127.0.0.1:7492", value_name = "HOST:PORT")]
    ops_listen: SocketAddr,
    #[command(flatten)]
    token: TokenArgs,
    /// How long samples are kept, as 90m or 1h
    #[arg(long, env = "PM_MONITOR_RETENTION", default_value = "1h", value_name = "DURATION", value_parser = retention)]
    retention: Duration,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(subcommand)]
    command: Option<healthcheck::Command>,
    #[command(flatten)]
    log: LogArgs,
}

fn retention(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration < Duration::from_secs(60) {
        return Err("is shorter than a minute; write 1m or more".to_owned());
    }
    Ok(duration)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    manual::write_if_asked(Args::command(), "8");
    let args = Args::parse();
    if let Some(healthcheck::Command::Healthcheck(check)) = &args.command {
        return Ok(check.ask(args.ops_listen).await?);
    }
    let telemetry = telemetry::init(args.log.telemetry("monitor-svc")).context("cannot set up logs and traces")?;
    open_files::raise();
    let served = run(args).await;
    telemetry.shutdown();
    served
}

async fn run(args: Args) -> anyhow::Result<()> {
    let terminated = signals::terminated();
    let identity = args.tls.identity(Role::Monitor)?;
    let token = args.token.read(identity.as_ref())?;
    let listener = args.tls.bind(identity.as_ref(), &args.remote, args.listen).await?;
    let ops_listener = args.remote.bind(args.ops_listen).await?;
    let monitor = Monitor::new(Options { retention: args.retention, ..Options::new(token) });

    let dumped = monitor.clone();
    signals::on_debug_dump(move || dumped.dump()).context("cannot handle SIGUSR1")?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        terminated.await;
        tracing::info!("stopping");
        stop.cancel();
    });

    if let Some(identity) = &identity {
        identity.register(&monitor.metrics());
        tokio::spawn(identity.watch(shutdown.clone())?);
    }
    let (ready, readiness) = ops::readiness();
    ready.send_replace(Readiness::Ready);
    tokio::spawn(systemd::tell(readiness.clone(), shutdown.clone()));
    let state = OpsState { metrics: monitor.metrics(), ready: readiness };
    // The bound ones: a port that was given as 0 has a number now.
    let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
    tracing::info!(listen = %address, ops_listen = %ops_address, "monitor serves");
    let incoming = Incoming::tcp(listener, identity.as_ref(), Clients::Required);
    let ops = async { ops::serve(ops_listener, state, shutdown.clone()).await };
    let grpc = async { monitor.serve(incoming, shutdown.clone()).await };
    // The first to fail ends the other.
    let ended = tokio::try_join!(ops, grpc);
    ended.map(|_| ()).context("the monitor ended")
}
