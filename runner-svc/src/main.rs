//! runner-svc: reads its configuration, starts a [`Runner`], runs until it is
//! told to stop. Instances go on without it unless `--on-stop drain` is given.

use anyhow::Context;
use clap::{Parser, ValueEnum};
use process_model::NodeName;
use runner_svc::{Options, Runner};
use service_host::config::{LogArgs, RemoteArgs, TokenArgs};
use service_host::metrics::Metrics;
use service_host::ops::{self, OpsState, Readiness};
use service_host::transport::{Dial, Incoming};
use service_host::{signals, telemetry};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Starts, supervises and stops the programs of one node.
#[derive(Debug, Parser)]
#[command(name = "runner-svc", version)]
struct Args {
    /// The registry's address
    #[arg(long, env = "PM_RUNNER_REGISTRY", default_value = "http://127.0.0.1:7481", value_name = "URL")]
    registry: String,
    /// The monitor's address
    #[arg(long, env = "PM_RUNNER_MONITOR", default_value = "http://127.0.0.1:7482", value_name = "URL")]
    monitor: String,
    /// This node's name [default: the host's name]
    #[arg(long, env = "PM_RUNNER_NODE", value_name = "NAME")]
    node: Option<NodeName>,
    /// Journal, locks and the keeper's socket
    #[arg(long, env = "PM_RUNNER_STATE_DIR", default_value = "/var/lib/pm/runner", value_name = "DIR")]
    state_dir: PathBuf,
    /// Output of instances whose definition names no file
    #[arg(long, env = "PM_RUNNER_LOG_DIR", default_value = "/var/log/pm", value_name = "DIR")]
    log_dir: PathBuf,
    /// Definitions of types beside the built-in ones, a YAML file each
    #[arg(long, env = "PM_RUNNER_TYPES_DIR", default_value = "/etc/pm/types.d", value_name = "DIR")]
    types_dir: PathBuf,
    /// Time between measurements, as 500ms or 10s
    #[arg(long, env = "PM_RUNNER_SAMPLE_INTERVAL", default_value = "10s", value_name = "DURATION", value_parser = interval)]
    sample_interval: Duration,
    /// Where this node's own view is served
    #[arg(long, env = "PM_RUNNER_LISTEN", default_value = "127.0.0.1:7483", value_name = "HOST:PORT")]
    listen: SocketAddr,
    /// Where health and metrics are shown, without a token
    #[arg(long, env = "PM_RUNNER_OPS_LISTEN", default_value = "127.0.0.1:7493", value_name = "HOST:PORT")]
    ops_listen: SocketAddr,
    /// What SIGTERM does to running programs
    #[arg(long, env = "PM_RUNNER_ON_STOP", default_value = "detach", value_name = "WHAT")]
    on_stop: OnStop,
    #[command(flatten)]
    token: TokenArgs,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    log: LogArgs,
}

/// What SIGTERM does to running programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnStop {
    /// They go on; the next runner takes them over.
    Detach,
    /// They are stopped, and started again by the next runner.
    Drain,
}

fn interval(text: &str) -> Result<Duration, String> {
    let range = Duration::from_millis(100)..=Duration::from_secs(3600);
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if range.contains(&duration) { Ok(duration) } else { Err("is out of range; write 100ms to 1h".to_owned()) }
}

fn main() -> anyhow::Result<()> {
    runner_svc::keeper_main_if_asked();
    let args = Args::parse();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let telemetry = telemetry::init(args.log.telemetry("runner-svc")).context("cannot set up logs and traces")?;
        let served = run(args).await;
        telemetry.shutdown();
        served
    })
}

async fn run(args: Args) -> anyhow::Result<()> {
    let terminated = signals::terminated();
    let token = args.token.read()?;
    let node = match args.node {
        Some(node) => node,
        None => runner_svc::host_name()?,
    };
    let listener = args.remote.bind(args.listen).await?;
    let ops_listener = args.remote.bind(args.ops_listen).await?;
    let address = listener.local_addr()?;
    let options = Options {
        state_dir: args.state_dir,
        log_dir: args.log_dir,
        types_dir: Some(args.types_dir),
        node,
        registry: Some(Dial::Tcp(args.registry)),
        monitor: Some(Dial::Tcp(args.monitor)),
        token,
        sample_interval: args.sample_interval,
    };
    let runner = Arc::new(Runner::start(options).await?);
    for fault in runner.left_out_types() {
        tracing::warn!(fault, "a type is left out");
    }

    let dumped = runner.clone();
    let dump = signals::on_debug_dump(move || {
        for line in dumped.dump() {
            tracing::info!("{line}");
        }
    })
    .context("cannot handle SIGUSR1")?;
    let shutdown = CancellationToken::new();
    let (ready, readiness) = ops::readiness();
    ready.send_replace(Readiness::Ready);
    let state = OpsState { metrics: Metrics::new("runner-svc"), ready: readiness };
    let ops = tokio::spawn(ops::serve(ops_listener, state, shutdown.clone()));
    let grpc = tokio::spawn(runner.local_service(Incoming::Tcp(listener), shutdown.clone()));
    tracing::info!(%address, "runner started");

    terminated.await;
    tracing::info!("stopping");
    shutdown.cancel();
    grpc.await??;
    ops.await??;
    dump.abort();
    let _ = dump.await;
    let runner = Arc::into_inner(runner).context("the runner is still in use")?;
    match args.on_stop {
        OnStop::Detach => runner.detach().await,
        OnStop::Drain => {
            let hurry = runner.hurry();
            let again = signals::terminated();
            tokio::spawn(async move {
                again.await;
                hurry.hurry();
            });
            anyhow::ensure!(runner.drain().await, "something could not be stopped; its keeper stays");
        }
    }
    Ok(())
}
