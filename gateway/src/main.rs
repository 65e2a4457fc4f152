//! `gateway`: parses its configuration, builds, runs until told to stop.

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser};
use gateway::{Gateway, Options};
use service_host::config::{LogArgs, RemoteArgs, TokenArgs};
use service_host::identity::{Role, TlsArgs, dial};
use service_host::ops::{self, OpsState, Readiness};
use service_host::secret::Secret;
use service_host::transport::Endpoints;
use service_host::{healthcheck, manual, open_files, signals, systemd, telemetry};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// The public door: REST and gRPC on one port, in front of registry and monitor.
#[derive(Debug, Parser)]
#[command(version, subcommand_negates_reqs = true)]
struct Arguments {
    /// Address of the public port.
    #[arg(long, env = "PM_GATEWAY_LISTEN", default_value = "127.0.0.1:7480", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Address of the operations port: health, readiness, metrics; plaintext and without a token.
    #[arg(long, env = "PM_GATEWAY_OPS_LISTEN", default_value = "127.0.0.1:7490", value_name = "ADDRESS")]
    ops_listen: SocketAddr,
    /// Where the registry is; of several replicas all, with commas between: whichever answers is asked.
    /// [default: http://127.0.0.1:7481, with a certificate https://127.0.0.1:7481]
    #[arg(long, env = "PM_GATEWAY_REGISTRY", value_name = "URL,…")]
    registry: Option<Endpoints>,
    /// Where the monitor is [default: http://127.0.0.1:7482, with a certificate https://127.0.0.1:7482].
    #[arg(long, env = "PM_GATEWAY_MONITOR", value_name = "URL")]
    monitor: Option<Endpoints>,
    /// File with the token that allows everything; only its owner may have access to it.
    #[arg(long, env = "PM_GATEWAY_ADMIN_TOKEN_FILE", value_name = "FILE", required = true)]
    admin_token_file: Option<PathBuf>,
    /// File with the token that allows looking; without it there are no viewers.
    #[arg(long, env = "PM_GATEWAY_VIEWER_TOKEN_FILE", value_name = "FILE")]
    viewer_token_file: Option<PathBuf>,
    #[command(flatten)]
    service_token: TokenArgs,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(subcommand)]
    command: Option<healthcheck::Command>,
    #[command(flatten)]
    log: LogArgs,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    manual::write_if_asked(Arguments::command(), "8");
    let arguments = Arguments::parse();
    if let Some(healthcheck::Command::Healthcheck(check)) = &arguments.command {
        return Ok(check.ask(arguments.ops_listen).await?);
    }
    let telemetry = telemetry::init(arguments.log.telemetry("gateway"))?;
    open_files::raise();
    let ran = run(arguments).await;
    telemetry.shutdown();
    ran
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let admin_token_file = arguments.admin_token_file.as_ref().context("--admin-token-file is missing")?;
    let token = |path: &PathBuf, what| Secret::from_file(path).with_context(|| format!("reading the {what} token"));
    let identity = arguments.tls.identity(Role::Gateway)?;
    let scheme = if identity.is_some() { "https" } else { "http" };
    let dial = |given: &Option<Endpoints>, port: u16, role| {
        let usual = || format!("{scheme}://127.0.0.1:{port}").parse();
        let endpoints = given.clone().map_or_else(usual, Ok)?;
        anyhow::Ok(dial(&endpoints, identity.as_ref(), role)?)
    };
    let gateway = Gateway::new(Options {
        registry: dial(&arguments.registry, 7481, Role::Registry).context("--registry")?,
        monitor: dial(&arguments.monitor, 7482, Role::Monitor).context("--monitor")?,
        service_token: arguments.service_token.read(identity.as_ref()).context("reading the service token")?,
        identity: identity.clone(),
        admin_token: token(admin_token_file, "admin")?,
        viewer_token: arguments.viewer_token_file.as_ref().map(|path| token(path, "viewer")).transpose()?,
    })?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let terminated = signals::terminated();
    tokio::spawn(async move {
        terminated.await;
        tracing::info!("stopping");
        stop.cancel();
    });
    let listener = arguments.tls.bind(identity.as_ref(), &arguments.remote, arguments.listen).await?;
    let ops_listener = arguments.remote.bind(arguments.ops_listen).await?;
    let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
    let (ready, readiness) = ops::readiness();
    let metrics = gateway.metrics();
    if let Some(identity) = &identity {
        identity.register(&metrics);
        tokio::spawn(identity.watch(shutdown.clone())?);
    }
    let dump = gateway.metrics();
    signals::on_debug_dump(move || tracing::info!(metrics = dump.encode(), "debug dump"))?;
    tokio::spawn(systemd::tell(readiness.clone(), shutdown.clone()));
    let operations = ops::serve(ops_listener, OpsState { metrics, ready: readiness }, shutdown.clone());
    tracing::info!(%address, %ops_address, "serving");
    ready.send_replace(Readiness::Ready);
    // An early end of either ends both.
    let serving = async {
        let served = gateway.serve(listener, shutdown.clone()).await;
        ready.send_replace(Readiness::NotReady(String::from("stopping")));
        shutdown.cancel();
        served
    };
    let watching = async {
        let watched = operations.await;
        shutdown.cancel();
        watched
    };
    let (served, watched) = tokio::join!(serving, watching);
    served?;
    watched?;
    Ok(())
}
