//! A whole cluster as an operator makes it with `pmctl cluster init`: three replicas, monitor, gateway, all over mTLS. Nodes
//! join it by the line that `pmctl nodes join-command` prints.

mod crowded;

use crate::{Beside, Outcome, Sandbox, binary, http, ports, until};
use service_host::client::{ServiceChannel, service_channel};
use service_host::identity::{Identity, Role, TlsFiles, dial};
use service_host::secret::Secret;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

/// Replicas of the registry.
const REPLICAS: usize = 3;

/// A cluster over mTLS.
pub struct Trusted<'s> {
    sandbox: &'s Sandbox,
    /// Registry 0 to 2, monitor, gateway: the port and the operations port.
    ports: BTreeMap<String, [u16; 2]>,
    running: BTreeMap<String, Beside>,
}

impl<'s> Trusted<'s> {
    /// Makes the CA and all certificates. Nothing is started.
    ///
    /// # Panics
    /// When `pmctl cluster init` fails.
    #[must_use]
    pub fn new(sandbox: &'s Sandbox) -> Self {
        let pki = sandbox.file("pki");
        let said = sandbox.pmctl(&["cluster", "init", "--dir", &pki, "--name", "prod", "--replicas", "3"]).succeeded();
        assert!(said.contains("sha256:") && said.contains("registry-3"), "{said}");
        let names = (1..=REPLICAS).map(|n| format!("registry-{n}")).chain(["monitor".into(), "gateway".into()]);
        let ports = names.map(|name| (name, [ports::free(), ports::free()])).collect();
        for token in ["admin.token", "viewer.token"] {
            let path = sandbox.write(token, &format!("a-token-of-the-{token}-0123456789"));
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        Self { sandbox, ports, running: BTreeMap::new() }
    }

    /// The same, with everything started and ready. `registry`: words more for each replica.
    ///
    /// # Panics
    /// When something does not become ready.
    #[must_use]
    pub fn started(sandbox: &'s Sandbox, registry: &[&str]) -> Self {
        let mut fleet = Self::new(sandbox);
        for n in 1..=REPLICAS {
            fleet.start_registry(n, registry);
        }
        fleet.start_monitor();
        fleet.start_gateway();
        for name in fleet.ports.keys() {
            fleet.wait_until_ready(name);
        }
        fleet
    }

    /// A folder with a certificate, as `pmctl cluster init` made it.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        self.sandbox.path().join("pki").join(name)
    }

    /// Starts a replica of the registry.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_registry(&mut self, n: usize, more: &[&str]) {
        let name = format!("registry-{n}");
        let data = self.sandbox.file(&format!("data-{n}"));
        let key = self.sandbox.file("pki/ca.key");
        let (advertise, peers) = (self.url(&name), self.registries());
        let words = [
            &["--data-dir", &data, "--advertise", &advertise, "--peers", &peers, "--replicas", "3"][..],
            &["--tls-ca-key", &key],
            more,
        ];
        self.start(&name, "registry-svc", &words.concat());
    }

    fn start_monitor(&mut self) {
        self.start("monitor", "monitor-svc", &[]);
    }

    fn start_gateway(&mut self) {
        let (registries, monitor, admin) = (self.registries(), self.url("monitor"), self.sandbox.file("admin.token"));
        let words = ["--registry", &registries, "--monitor", &monitor, "--admin-token-file", &admin];
        self.start("gateway", "gateway", &words);
    }

    fn start(&mut self, name: &str, program: &str, words: &[&str]) {
        let [port, ops] = self.ports[name].map(|port| format!("127.0.0.1:{port}"));
        let folder = self.folder(name);
        let own = ["--listen", &port, "--ops-listen", &ops, "--tls-dir", folder.to_str().unwrap()];
        let started = Beside::start(self.sandbox, name, program, &[&own, words].concat());
        self.running.insert(name.to_owned(), started);
    }

    fn wait_until_ready(&self, name: &str) {
        let ops = format!("127.0.0.1:{}", self.ports[name][1]);
        until(&format!("{name} is ready"), || {
            TcpStream::connect(&ops).is_ok() && http::get(&ops, "/readyz", None).status == 200
        });
    }

    /// What a service logged.
    #[must_use]
    pub fn said(&self, name: &str) -> String {
        self.running[name].said()
    }

    /// A service's metrics.
    #[must_use]
    pub fn metrics(&self, name: &str) -> String {
        http::get(&format!("127.0.0.1:{}", self.ports[name][1]), "/metrics", None).body
    }

    /// A number among them.
    #[must_use]
    pub fn metric(&self, name: &str, metric: &str) -> u64 {
        http::metric(&format!("127.0.0.1:{}", self.ports[name][1]), metric)
    }

    /// The operations port of a service.
    #[must_use]
    pub fn ops(&self, name: &str) -> String {
        format!("127.0.0.1:{}", self.ports[name][1])
    }

    /// Process id of a service.
    #[must_use]
    pub fn pid(&self, name: &str) -> u32 {
        self.running[name].pid()
    }

    /// Address of a service.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("https://127.0.0.1:{}", self.ports[name][0])
    }

    /// Addresses of all replicas.
    #[must_use]
    pub fn registries(&self) -> String {
        (1..=REPLICAS).map(|n| self.url(&format!("registry-{n}"))).collect::<Vec<_>>().join(",")
    }

    /// Runs `pmctl` as the operator whose certificate was made.
    #[must_use]
    pub fn pmctl(&self, args: &[&str]) -> Outcome {
        let (endpoint, folder) = (self.url("gateway"), self.folder("operator"));
        self.sandbox.pmctl(&[&["--endpoint", &endpoint, "--tls-dir", folder.to_str().unwrap()], args].concat())
    }

    /// The line with which a node joins.
    ///
    /// # Panics
    /// When `pmctl` makes none.
    #[must_use]
    pub fn join_command(&self, args: &[&str]) -> String {
        let monitor = self.url("monitor");
        let words = [&["nodes", "join-command", "--monitor", &monitor], args].concat();
        let said = self.pmctl(&words).succeeded();
        let line = said.lines().find(|line| line.starts_with("PM_JOIN_TOKEN=")).unwrap_or_else(|| panic!("{said}"));
        line.to_owned()
    }

    /// Pastes such a line into a shell of a new node, with its state directory; how it ended, and what it said.
    ///
    /// # Panics
    /// When there is no shell.
    #[must_use]
    pub fn join(&self, line: &str, node: &str) -> (bool, String) {
        let programs = binary::profile_dir();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let state = self.sandbox.file(&format!("state-{node}"));
        let ran = Command::new("sh")
            .args(["-c", line])
            .env("PATH", path)
            .env("PM_RUNNER_STATE_DIR", state)
            .env("PM_RUNNER_NODE", node)
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        (ran.status.success(), said)
    }

    /// Starts the runner of a node that has joined.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start_runner(&mut self, node: &str) {
        let ports = [ports::free(), ports::free()];
        self.ports.insert(node.to_owned(), ports);
        let (state, logs) = (self.sandbox.file(&format!("state-{node}")), self.sandbox.file(&format!("logs-{node}")));
        let [port, ops] = ports.map(|port| format!("127.0.0.1:{port}"));
        let words = ["--listen", &port, "--ops-listen", &ops, "--state-dir", &state, "--log-dir", &logs];
        let started = Beside::start(self.sandbox, node, "runner-svc", &words);
        self.running.insert(node.to_owned(), started);
        self.wait_until_ready(node);
    }

    /// Ends a service at once.
    pub fn kill(&mut self, name: &str) {
        self.running.remove(name);
    }

    /// Makes a certificate of a role, with the cluster's own CA; its folder's name.
    ///
    /// # Panics
    /// When `pmctl` does not.
    #[must_use]
    pub fn issue(&self, who: &str) -> PathBuf {
        let pki = self.sandbox.file("pki");
        let said = self.sandbox.pmctl(&["cluster", "issue", "--dir", &pki, who]).succeeded();
        PathBuf::from(said.trim())
    }

    /// A channel to a service, as whoever holds the certificate in this folder. `role`: that of the service.
    ///
    /// # Panics
    /// When the certificate is of no use.
    #[must_use]
    pub fn channel_as(&self, folder: &std::path::Path, own: Role, name: &str, role: Role) -> ServiceChannel {
        let identity = Identity::load(TlsFiles::in_dir(folder), own).unwrap();
        let dial = dial(&self.url(name).parse().unwrap(), Some(&identity), role).unwrap();
        let _inside = crate::api::runtime().enter();
        service_channel(&dial, &Secret::generate()).unwrap()
    }

    /// Runs a call to its end.
    pub fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        crate::api::runtime().block_on(call)
    }
}
