//! runner-svc: reads its configuration, starts a [`Runner`], runs until it is
//! told to stop. Instances go on without it unless `--on-stop drain` is given.
//! `runner-svc join` gets the node its certificate before.
//!
//! | signal | what it does |
//! |---|---|
//! | SIGTERM, SIGINT | ends the runner as `--on-stop` says; the second time stops wait no longer, the third time everything is ended at once |
//! | SIGHUP | types and policy are read anew; what has a fault stays as it was |
//! | SIGUSR1 | a debug dump is logged |
//! | SIGPIPE | nothing: whoever does not listen is an error of that write alone |

use anyhow::Context;
use clap::{CommandFactory as _, Parser, ValueEnum};
use process_model::NodeName;
use runner_svc::identity::{JoinOptions, Kept};
use runner_svc::{Hurry, Options, PolicyFile, Reload, Runner};
use service_host::config::{LogArgs, RemoteArgs, TokenArgs};
use service_host::identity::{Clients, Identity, Role, TlsArgs};
use service_host::metrics::Metrics;
use service_host::ops::{self, OpsState, Readiness};
use service_host::secret::Secret;
use service_host::transport::{Dial, Endpoints, Incoming};
use service_host::{healthcheck, manual, signals, systemd, telemetry};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Starts, supervises and stops the programs of one node.
#[derive(Debug, Parser)]
#[command(name = "runner-svc", version)]
struct Args {
    /// Where the registry is; of several replicas one or more, with commas between: the others are learned from it
    /// [default: where this node joined, else http://127.0.0.1:7481, with a certificate https://127.0.0.1:7481]
    #[arg(long, env = "PM_RUNNER_REGISTRY", value_name = "URL,…", global = true)]
    registry: Option<Endpoints>,
    /// The monitor's address [default: as this node joined, else http://127.0.0.1:7482, with a certificate https://127.0.0.1:7482]
    #[arg(long, env = "PM_RUNNER_MONITOR", value_name = "URL", global = true)]
    monitor: Option<Endpoints>,
    /// This node's name [default: that of its certificate, else the host's name]
    #[arg(long, env = "PM_RUNNER_NODE", value_name = "NAME", global = true)]
    node: Option<NodeName>,
    /// A label of this node, as zone=eu-1, for the placement of processes; give it once for each
    #[arg(
        long = "label",
        env = "PM_NODE_LABELS",
        value_name = "NAME=VALUE",
        value_delimiter = ',',
        value_parser = process_model::label::parse
    )]
    labels: Vec<(String, String)>,
    /// Journal, locks and the keeper's socket
    #[arg(long, env = "PM_RUNNER_STATE_DIR", default_value = "/var/lib/pm/runner", value_name = "DIR", global = true)]
    state_dir: PathBuf,
    /// Output of instances whose definition names no file
    #[arg(long, env = "PM_RUNNER_LOG_DIR", default_value = "/var/log/pm", value_name = "DIR")]
    log_dir: PathBuf,
    /// Definitions of types beside the built-in ones, a YAML file each
    #[arg(long, env = "PM_RUNNER_TYPES_DIR", default_value = "/etc/pm/types.d", value_name = "DIR")]
    types_dir: PathBuf,
    /// Executables and sockets that serve more types
    #[arg(long, env = "PM_RUNNER_PLUGINS_DIR", default_value = "/etc/pm/plugins.d", value_name = "DIR")]
    plugins_dir: PathBuf,
    /// What programs may be on this node, whatever the registry says [default: /etc/pm/node-policy.yaml, if it is there]
    #[arg(long, env = "PM_RUNNER_POLICY_FILE", value_name = "FILE")]
    policy_file: Option<PathBuf>,
    /// Bytes of all log files of this node, as 10GiB; the oldest that nobody writes to go first [default: no limit]
    #[arg(long, env = "PM_RUNNER_LOG_QUOTA", value_name = "SIZE", value_parser = size)]
    log_quota: Option<u64>,
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
    tls: TlsArgs,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    log: LogArgs,
}

/// What else this program does.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Gets this node a certificate, for a token from `pmctl nodes join-command`
    ///
    /// The token is read from the environment variable PM_JOIN_TOKEN, or from standard input.
    Join {
        /// SHA-256 of the CA's certificate, as sha256:64 hexadecimal digits
        #[arg(long, value_name = "SHA256")]
        ca_fingerprint: String,
    },
    /// Ask the running service how it fares, for a container: exit code 0 when it is ready, else 1
    Healthcheck(healthcheck::Args),
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

/// A number of bytes, alone or with a binary or decimal unit.
fn size(text: &str) -> Result<u64, String> {
    const FIX: &str = "is no size; write bytes, or a number with KiB, MiB, GiB, TiB, kB, MB, GB or TB";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let factor: u64 = match text.get(digits.len()..).map(str::trim) {
        Some("" | "B") => 1,
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        Some("GiB") => 1 << 30,
        Some("TiB") => 1 << 40,
        Some("kB") => 1_000,
        Some("MB") => 1_000_000,
        Some("GB") => 1_000_000_000,
        Some("TB") => 1_000_000_000_000,
        Some(_) | None => return Err(FIX.to_owned()),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or(FIX)?;
    if bytes >= 1 << 20 { Ok(bytes) } else { Err("is out of range; write at least 1MiB".to_owned()) }
}

/// How often SIGTERM or SIGINT has come. None of them ends the program by
/// itself from now on.
fn terminations() -> std::io::Result<watch::Receiver<u32>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (count, counted) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            count.send_modify(|n| *n += 1);
        }
    });
    Ok(counted)
}

/// Reads anew what can be, one SIGHUP after the other; those that come
/// meanwhile are one.
fn on_hangup(reload: Reload) -> std::io::Result<tokio::task::JoinHandle<()>> {
    let mut hangups = signal(SignalKind::hangup())?;
    Ok(tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            let reload = reload.clone();
            match tokio::task::spawn_blocking(move || reload.reload()).await {
                Ok(faults) if faults.is_empty() => tracing::info!("types and policy were read anew"),
                Ok(faults) => faults.iter().for_each(|fault| tracing::error!(fault, "not everything was read anew")),
                Err(error) => tracing::error!(%error, "types and policy could not be read anew"),
            }
        }
    }))
}

/// The second signal makes stops faster, the third ends everything.
async fn press(mut terminations: watch::Receiver<u32>, hurry: Hurry) {
    if terminations.wait_for(|n| *n >= 2).await.is_ok() {
        tracing::warn!("told to stop again; stops wait no longer");
        hurry.hurry();
    }
    if terminations.wait_for(|n| *n >= 3).await.is_ok() {
        tracing::warn!("told to stop a third time; everything is ended at once");
        hurry.kill();
    }
}

fn main() -> anyhow::Result<()> {
    runner_svc::keeper_main_if_asked();
    manual::write_if_asked(Args::command(), "8");
    let args = Args::parse();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        if let Some(Command::Healthcheck(check)) = &args.command {
            return Ok(check.ask(args.ops_listen).await?);
        }
        let telemetry = telemetry::init(args.log.telemetry("runner-svc")).context("cannot set up logs and traces")?;
        let served = match &args.command {
            Some(Command::Join { ca_fingerprint }) => join(&args, ca_fingerprint).await,
            Some(Command::Healthcheck(_)) | None => run(args).await,
        };
        telemetry.shutdown();
        served
    })
}

/// The one secret of a command line: not on it, since every user of the machine can read that.
fn join_token() -> anyhow::Result<Secret> {
    let text = match std::env::var("PM_JOIN_TOKEN") {
        Ok(text) => text,
        Err(_) => {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).context("cannot read the token from standard input")?;
            line
        }
    };
    Secret::new(&text).context("PM_JOIN_TOKEN, or standard input, has to hold the token")
}

async fn join(args: &Args, ca_fingerprint: &str) -> anyhow::Result<()> {
    let options = JoinOptions {
        state_dir: args.state_dir.clone(),
        node: match &args.node {
            Some(node) => node.clone(),
            None => runner_svc::host_name()?,
        },
        registry: args.registry.clone().context("--registry https://HOST:PORT is missing: where the node joins")?,
        monitor: args.monitor.clone(),
        ca_fingerprint: ca_fingerprint.to_owned(),
        token: join_token()?,
    };
    let identity = runner_svc::identity::join(options).await?;
    println!("joined as {}; start runner-svc with the same --state-dir", identity.id());
    Ok(())
}

/// Who this node is, as it was told or as it joined; in the latter case also where it keeps that.
fn who(args: &Args) -> anyhow::Result<(Option<Identity>, Option<Kept>)> {
    if let Some(identity) = args.tls.identity(Role::Runner)? {
        return Ok((Some(identity), None));
    }
    let kept = Kept::of(&args.state_dir);
    if !kept.exists() {
        return Ok((None, None));
    }
    Ok((Some(kept.load()?), Some(kept)))
}

/// This node's name: no other than its certificate's.
fn name(said: Option<&NodeName>, identity: Option<&Identity>) -> anyhow::Result<NodeName> {
    let Some(identity) = identity else {
        return said.map_or_else(runner_svc::host_name, |said| Ok(said.clone()));
    };
    let id = identity.id();
    let own: NodeName = id.name().parse().with_context(|| format!("{id} names no node"))?;
    match said {
        Some(said) if *said != own => {
            anyhow::bail!("--node {said} is not whom its certificate names: {id}; leave it out")
        }
        Some(_) | None => Ok(own),
    }
}

/// An address that was given, or kept, or the usual one.
fn address(given: Option<&Endpoints>, kept: Option<Endpoints>, port: u16, tls: bool) -> anyhow::Result<Endpoints> {
    let scheme = if tls { "https" } else { "http" };
    match given.cloned().or(kept) {
        Some(known) => Ok(known),
        None => Ok(format!("{scheme}://127.0.0.1:{port}").parse()?),
    }
}

/// Labels by name; one that is given twice is a mistake, whichever was meant.
fn labels(given: Vec<(String, String)>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for (name, value) in given {
        if let Some(first) = labels.insert(name.clone(), value.clone()) {
            anyhow::bail!("--label {name}: it is {first:?} and {value:?}; give each name once");
        }
    }
    Ok(labels)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut terminations = terminations().context("cannot handle SIGTERM")?;
    let (identity, kept) = who(&args)?;
    let token = args.token.read(identity.as_ref())?;
    let node = name(args.node.as_ref(), identity.as_ref())?;
    let tls = identity.is_some();
    let registry =
        address(args.registry.as_ref(), kept.as_ref().map(Kept::registry).transpose()?.flatten(), 7481, tls)?;
    let monitor = address(args.monitor.as_ref(), kept.as_ref().map(Kept::monitor).transpose()?.flatten(), 7482, tls)?;
    let registry = match service_host::identity::dial(&registry, identity.as_ref(), Role::Registry)? {
        // Also a single one: the others may be learned.
        Dial::Tcp(_) => Dial::Cluster(registry),
        dial @ (Dial::Memory(_) | Dial::Cluster(_) | Dial::Tls(..)) => dial,
    };
    let monitor = service_host::identity::dial(&monitor, identity.as_ref(), Role::Monitor)?;
    let listener = args.tls.bind(identity.as_ref(), &args.remote, args.listen).await?;
    let ops_listener = args.remote.bind(args.ops_listen).await?;
    let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
    let options = Options {
        state_dir: args.state_dir,
        log_dir: args.log_dir,
        types_dir: Some(args.types_dir),
        plugins_dir: Some(args.plugins_dir),
        policy_file: args.policy_file.map_or_else(|| PolicyFile::Usual(PolicyFile::USUAL.into()), PolicyFile::Named),
        log_quota: args.log_quota,
        node,
        labels: labels(args.labels)?,
        registry: Some(registry.clone()),
        monitor: Some(monitor),
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
    let reload = on_hangup(runner.reload()).context("cannot handle SIGHUP")?;
    let shutdown = CancellationToken::new();
    let (ready, readiness) = ops::readiness();
    ready.send_replace(Readiness::Ready);
    let metrics = Metrics::new("runner-svc");
    runner.show_metrics(&metrics);
    if let Some(identity) = &identity {
        identity.register(&metrics);
        tokio::spawn(identity.watch(shutdown.clone())?);
        if let Some(kept) = kept {
            tokio::spawn(runner_svc::identity::keep_renewed(identity.clone(), kept, registry, shutdown.clone()));
        }
    }
    tokio::spawn(systemd::tell(readiness.clone(), shutdown.clone()));
    let state = OpsState { metrics, ready: readiness };
    let ops = tokio::spawn(ops::serve(ops_listener, state, shutdown.clone()));
    let incoming = Incoming::tcp(listener, identity.as_ref(), Clients::Required);
    let grpc = tokio::spawn(runner.local_service(incoming, shutdown.clone()));
    tracing::info!(%address, %ops_address, "runner started");

    terminations.wait_for(|n| *n >= 1).await?;
    tracing::info!("stopping");
    shutdown.cancel();
    grpc.await??;
    ops.await??;
    for task in [dump, reload] {
        task.abort();
        let _ = task.await;
    }
    let runner = Arc::into_inner(runner).context("the runner is still in use")?;
    match args.on_stop {
        OnStop::Detach => {
            tokio::select! {
                () = runner.detach() => {}
                _ = terminations.wait_for(|n| *n >= 2) => tracing::warn!("told to stop again; not waiting for the registry"),
            }
        }
        OnStop::Drain => {
            let press = tokio::spawn(press(terminations, runner.hurry()));
            let drained = runner.drain().await;
            press.abort();
            anyhow::ensure!(drained, "something could not be stopped; its keeper stays");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_read_with_their_units_and_nothing_else_is() {
        for (text, bytes) in [("1048576", 1 << 20), ("10GiB", 10 << 30), ("5 GB", 5_000_000_000), ("2048KiB", 2 << 20)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "10", "1.5GiB", "-1MiB", "10gib", "10 G", "99999999999TiB", "1MiB2"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
