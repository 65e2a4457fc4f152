//! One server of either side: what it is started with, and its process now.

use super::launch::{self, Running};
use super::options::{Options, Side};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use system_tests::binary;

/// Ports of one server: for clients, and for peers (etcd) or operations (ours).
pub(crate) type Ports = (u16, u16);

/// One server. Killed when it is dropped.
pub(crate) struct Replica {
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    delay: Option<Duration>,
    running: Option<Running>,
    /// Where clients connect.
    pub(crate) url: String,
    /// Where its metrics are, as HOST:PORT.
    pub(crate) metrics: String,
}

/// Where etcd is, if it is installed.
pub(crate) fn etcd_program() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join("etcd")).find(|program| program.is_file())
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

impl Replica {
    /// Number `index` of a cluster at these ports, with its data below
    /// `folder`; not started yet.
    pub(crate) fn new(side: Side, index: usize, ports: &[Ports], folder: &Path, options: &Options) -> Result<Self> {
        let (port, second) = *ports.get(index).context("a replica without ports")?;
        let data = folder.join(format!("data-{index}")).display().to_string();
        let (program, arguments, metrics) = match side {
            Side::Ours => (binary::path("registry-svc"), ours(ports, port, second, &data, folder), second),
            Side::Etcd => {
                (etcd_program().context("etcd is not in PATH")?, etcd(index, ports, port, second, &data), port)
            }
        };
        let arguments = arguments.into_iter().chain(options.own_arguments(side)).collect();
        let log = folder.join(format!("log-{index}"));
        let metrics = format!("127.0.0.1:{metrics}");
        Ok(Self { program, arguments, log, delay: options.fsync_delay, running: None, url: url(port), metrics })
    }

    /// Starts it, on whatever data it has.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.running = Some(launch::start(&self.program, &self.arguments, self.delay, &self.log)?);
        Ok(())
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.running.as_ref().map(Running::pid).context("the replica does not run")
    }

    /// SIGKILL, and its end.
    pub(crate) fn kill_9(&mut self) {
        if let Some(running) = &mut self.running {
            running.kill_9();
        }
    }

    /// SIGTERM, and its end.
    pub(crate) async fn terminate(&mut self) -> Result<()> {
        match &mut self.running {
            Some(running) => running.terminate(Duration::from_secs(60)).await,
            None => Ok(()),
        }
    }

    /// The last lines that it said, for an error.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(8).collect();
        lines.into_iter().rev().map(|line| format!("\n    {line}")).collect()
    }
}

/// Defaults, besides addresses, data and the token.
fn ours(ports: &[Ports], port: u16, ops: u16, data: &str, folder: &Path) -> Vec<String> {
    let token = folder.join(super::cluster::TOKEN_FILE).display().to_string();
    let (listen, ops) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{ops}"));
    let mut words = vec!["--data-dir", data, "--listen", &listen, "--ops-listen", &ops, "--service-token-file", &token];
    let (own, count) = (url(port), ports.len().to_string());
    let peers = ports.iter().map(|(port, _)| url(*port)).collect::<Vec<_>>().join(",");
    if ports.len() > 1 {
        words.extend(["--advertise", &own, "--peers", &peers, "--replicas", &count]);
    }
    words.into_iter().map(str::to_owned).collect()
}

/// Defaults, besides addresses and data.
fn etcd(index: usize, ports: &[Ports], port: u16, peer: u16, data: &str) -> Vec<String> {
    let (own, own_peer, name) = (url(port), url(peer), format!("m{index}"));
    let members = ports.iter().enumerate().map(|(n, (_, peer))| format!("m{n}={}", url(*peer)));
    let members = members.collect::<Vec<_>>().join(",");
    let words = [
        ["--name", &name],
        ["--data-dir", data],
        ["--listen-client-urls", &own],
        ["--advertise-client-urls", &own],
        ["--listen-peer-urls", &own_peer],
        ["--initial-advertise-peer-urls", &own_peer],
        ["--initial-cluster", &members],
        ["--initial-cluster-state", "new"],
    ];
    words.into_iter().flatten().map(str::to_owned).collect()
}
