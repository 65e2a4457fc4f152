//! The services of one `pmctl up`, joined by in-memory connections.

use super::home::Home;
use super::reporter::Reporter;
use crate::error::{Failure, chain};
use crate::signals::Signals;
use crate::state_dir::{plugins_dir, types_dir};
use gateway::Gateway;
use monitor_svc::Monitor;
use registry_svc::Registry;
use runner_svc::{Notice, NoticeKind, Runner};
use service_host::metrics::Metrics;
use service_host::secret::Secret;
use service_host::transport::{Dial, Incoming, memory};
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Time between measurements of everything.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(2);

/// A closing service has five seconds for its last calls; one more for us.
const CLOSE_PATIENCE: Duration = Duration::from_secs(6);

/// How a service came to its end.
type Served = (&'static str, Result<(), String>);

/// What runs in this process.
pub struct Services {
    registry: Registry,
    registry_dial: Dial,
    monitor_dial: Dial,
    token: Secret,
    runner: Option<Runner>,
    metrics: Vec<Metrics>,
    tasks: JoinSet<Served>,
    stop_gateway: CancellationToken,
    stop_rest: CancellationToken,
}

impl Services {
    /// Starts registry, monitor and gateway. No instance is touched yet.
    ///
    /// # Errors
    /// The store cannot be opened, or the gateway cannot be built.
    pub async fn start(home: &Home) -> Result<Self, Failure> {
        // Only parts of this process use it, and they are born with it.
        let token = Secret::generate();
        let (registry_connector, registry_incoming) = memory();
        let (monitor_connector, monitor_incoming) = memory();
        let (registry_dial, monitor_dial) = (Dial::Memory(registry_connector), Dial::Memory(monitor_connector));
        let options = registry_svc::Options::new(home.state().registry(), token.clone());
        let registry = Registry::open(options, None).await.map_err(|e| {
            Failure::failed(format!("cannot open the store in {}: {}", home.state().registry().display(), chain(&e)))
                .help("nothing was started; what an earlier `pmctl up` left running goes on")
        })?;
        let monitor = Monitor::new(monitor_svc::Options::new(token.clone()));
        let gateway = Gateway::new(gateway::Options {
            identity: None,
            registry: registry_dial.clone(),
            monitor: monitor_dial.clone(),
            service_token: token.clone(),
            admin_token: home.admin_token().clone(),
            viewer_token: Some(home.viewer_token().clone()),
        })
        .map_err(|e| Failure::failed(format!("cannot start the gateway: {}", chain(&e))))?;
        let listener = listener(home)?;
        let (stop_gateway, stop_rest) = (CancellationToken::new(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let (served, stop) = (registry.clone(), stop_rest.clone());
        tasks.spawn(async move { ("registry", text(served.serve(Incoming::Memory(registry_incoming), stop).await)) });
        let metrics = vec![registry.metrics(), monitor.metrics(), gateway.metrics()];
        let stop = stop_rest.clone();
        tasks.spawn(async move { ("monitor", text(monitor.serve(Incoming::Memory(monitor_incoming), stop).await)) });
        let stop = stop_gateway.clone();
        tasks.spawn(async move { ("gateway", text(gateway.serve(listener, stop).await)) });
        Ok(Self { registry, registry_dial, monitor_dial, token, runner: None, metrics, tasks, stop_gateway, stop_rest })
    }

    /// Starts the runner: from here on instances are started, and those that
    /// an earlier `pmctl up` left are taken over.
    ///
    /// # Errors
    /// The runner cannot be started.
    pub async fn start_runner(&mut self, home: &Home) -> Result<(), Failure> {
        let options = runner_svc::Options {
            state_dir: home.state().runner(),
            log_dir: home.state().logs(),
            types_dir: types_dir(),
            plugins_dir: plugins_dir(),
            policy_file: runner_svc::PolicyFile::Nowhere,
            log_quota: None,
            node: home.node().clone(),
            labels: [].into(),
            registry: Some(self.registry_dial.clone()),
            monitor: Some(self.monitor_dial.clone()),
            token: self.token.clone(),
            sample_interval: SAMPLE_INTERVAL,
        };
        let runner = Runner::start(options)
            .await
            .map_err(|e| Failure::failed(format!("cannot start the runner: {}", chain(&e))))?;
        self.runner = Some(runner);
        Ok(())
    }

    /// What of the user's types is left out, and why.
    #[must_use]
    pub fn left_out_types(&self) -> &[String] {
        self.runner.as_ref().map(Runner::left_out_types).unwrap_or_default()
    }

    /// What the runner tells that no registry keeps; `None` without a runner.
    #[must_use]
    pub fn notices(&self) -> Option<broadcast::Receiver<Notice>> {
        self.runner.as_ref().map(Runner::notices)
    }

    /// What the services hold and count, for whoever looks for a fault (S2.8).
    #[must_use]
    pub fn dump(&self) -> String {
        let mut text = self.runner.as_ref().map(Runner::dump).unwrap_or_default().join("\n");
        for metrics in &self.metrics {
            text.push('\n');
            text.push_str(&metrics.encode());
        }
        text
    }

    /// A service that ended although nobody asked it to.
    pub async fn broken(&mut self) -> Failure {
        match self.tasks.join_next().await {
            Some(Ok((name, Ok(())))) => Failure::failed(format!("the {name} ended unexpectedly")),
            Some(Ok((name, Err(why)))) => Failure::failed(format!("the {name} failed: {why}")),
            Some(Err(e)) => Failure::failed(format!("a service failed: {e}")),
            None => std::future::pending().await,
        }
    }

    /// Stops every instance in order, a line for each. A second request to end
    /// makes it faster. Says whether all could be stopped.
    pub async fn drain(&mut self, signals: &mut Signals, reporter: &mut Reporter) -> bool {
        let Some(runner) = self.runner.take() else { return true };
        drain(runner, signals, &mut |notice| {
            if matches!(notice.kind, NoticeKind::Lifecycle { .. }) {
                reporter.live(&super::notices::line_of_notice(notice));
            }
        })
        .await
    }

    /// Ends the services: the door first, the store last.
    pub async fn close(&mut self) {
        self.stop_gateway.cancel();
        self.stop_rest.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSE_PATIENCE, all).await.is_err() {
            tracing::warn!("a service did not end in time");
        }
        self.registry.clone().close().await;
    }
}

/// Drains a runner and shows what it tells meanwhile. Each further request to
/// end makes the stops that are going on faster. Says whether all could be
/// stopped.
pub async fn drain(runner: Runner, signals: &mut Signals, show: &mut (dyn FnMut(&Notice) + Send)) -> bool {
    let (mut notices, hurry) = (runner.notices(), runner.hurry());
    let mut drained = std::pin::pin!(runner.drain());
    let stopped = loop {
        tokio::select! {
            stopped = &mut drained => break stopped,
            _ = signals.next() => hurry.hurry(),
            notice = notices.recv() => match notice {
                Ok(notice) => show(&notice),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break drained.await,
            },
        }
    };
    while let Ok(notice) = notices.try_recv() {
        show(&notice);
    }
    stopped
}

fn listener(home: &Home) -> Result<tokio::net::TcpListener, Failure> {
    let failed = |e: std::io::Error| Failure::failed(format!("cannot listen: {e}"));
    let listener = home.take_listener().ok_or_else(|| Failure::failed("the port was given away already"))?;
    listener.set_nonblocking(true).map_err(failed)?;
    tokio::net::TcpListener::from_std(listener).map_err(failed)
}

fn text(result: Result<(), service_host::server::ServeError>) -> Result<(), String> {
    result.map_err(|e| chain(&e))
}
