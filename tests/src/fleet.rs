//! Runners of a fleet as processes of their own, each on a node of its own:
//! beside the replicas on loopback, or in a space of their network.

mod lock_oracle;

pub use lock_oracle::{LockOracle, Started};

use crate::{Beside, Net, Replicas, Sandbox, binary, http, ports, proc, until};
use rustix::process::Signal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;

/// Runners that talk to the same registry.
pub struct Fleet<'s> {
    sandbox: &'s Sandbox,
    registries: String,
    nodes: Vec<Node>,
}

struct Node {
    name: String,
    enter: Vec<String>,
    ops: SocketAddr,
    arguments: Vec<String>,
    process: Option<Beside>,
}

impl<'s> Fleet<'s> {
    /// Nobody yet, who will talk to these replicas.
    #[must_use]
    pub fn of(sandbox: &'s Sandbox, replicas: &Replicas) -> Self {
        Self::at(sandbox, &replicas.addresses())
    }

    /// Nobody yet, who will talk to these addresses.
    #[must_use]
    pub fn at(sandbox: &'s Sandbox, registries: &str) -> Self {
        Self { sandbox, registries: registries.to_owned(), nodes: Vec::new() }
    }

    /// One more node on loopback; its place.
    pub fn add(&mut self) -> usize {
        self.place(Vec::new(), Ipv4Addr::LOCALHOST.into())
    }

    /// One more node in a space of a network; its place.
    pub fn add_in(&mut self, net: &Net, space: usize) -> usize {
        self.place(net.enter(space), net.host(space).into())
    }

    fn place(&mut self, enter: Vec<String>, host: IpAddr) -> usize {
        let name = format!("node-{}", self.nodes.len() + 1);
        let ops = SocketAddr::new(host, ports::free());
        let own = |flag: &str, value: String| [flag.to_owned(), value];
        let mut arguments = Vec::new();
        arguments.extend(own("--registry", self.registries.clone()));
        // Nobody is there: what is measured is of no interest here.
        arguments.extend(own("--monitor", format!("http://127.0.0.1:{}", ports::free())));
        arguments.extend(own("--node", name.clone()));
        arguments.extend(own("--state-dir", self.sandbox.file(&name)));
        arguments.extend(own("--log-dir", self.sandbox.file(&format!("{name}-logs"))));
        arguments.extend(own("--listen", format!("127.0.0.1:{}", ports::free())));
        arguments.extend(own("--ops-listen", ops.to_string()));
        arguments.extend(own("--service-token-file", self.sandbox.file("service.token")));
        if !host.is_loopback() {
            arguments.push("--allow-remote".to_owned());
        }
        self.nodes.push(Node { name, enter, ops, arguments, process: None });
        self.nodes.len() - 1
    }

    /// The name of a node.
    #[must_use]
    pub fn name(&self, i: usize) -> &str {
        &self.nodes[i].name
    }

    /// Starts its runner and waits until it is ready.
    ///
    /// # Panics
    /// When it is not within the deadline.
    pub fn start(&mut self, i: usize) {
        self.start_after(i, "exec \"$@\"");
    }

    /// The same by a shell that does something first; `"$@"` is the runner.
    pub fn start_after(&mut self, i: usize, script: &str) {
        let node = &mut self.nodes[i];
        let mut words = node.enter.clone();
        words.extend(["sh", "-c", script, "sh"].map(str::to_owned));
        words.push(binary::path("runner-svc").to_str().expect("the path is UTF-8").to_owned());
        words.extend(node.arguments.iter().cloned());
        let mut command = Command::new(&words[0]);
        node.process = Some(Beside::run(self.sandbox, &node.name, command.args(&words[1..])));
        let ops = node.ops.to_string();
        until(&format!("{} is ready", node.name), || {
            std::net::TcpStream::connect(&ops).is_ok() && http::get(&ops, "/readyz", None).status == 200
        });
    }

    /// Whether its runner was welcomed by a registry. That registry has the node
    /// as ready some moments before its runner hears of it.
    #[must_use]
    pub fn in_session(&self, i: usize) -> bool {
        http::metric(&self.nodes[i].ops.to_string(), "pm_runner_registry_connected") == 1
    }

    /// Starts all that do not run.
    pub fn start_all(&mut self) {
        for i in 0..self.nodes.len() {
            if self.nodes[i].process.is_none() {
                self.start(i);
            }
        }
    }

    /// Process id of its runner.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self, i: usize) -> u32 {
        self.nodes[i].process.as_ref().expect("it runs").pid()
    }

    /// Process id of its keeper, which outlives the runner.
    #[must_use]
    pub fn keeper(&self, i: usize) -> u32 {
        proc::keeper_of(self.pid(i))
    }

    /// SIGKILL to its runner: nothing of it can react; its programs run on.
    pub fn kill(&mut self, i: usize) {
        self.nodes[i].process = None;
    }

    /// SIGSTOP: its runner holds its sockets and does nothing.
    pub fn pause(&self, i: usize) {
        proc::send(self.pid(i), Signal::STOP);
    }

    /// SIGCONT, if it runs.
    pub fn cont(&self, i: usize) {
        if let Some(process) = &self.nodes[i].process {
            proc::send(process.pid(), Signal::CONT);
        }
    }

    /// What its runner logged.
    #[must_use]
    pub fn said(&self, i: usize) -> String {
        self.nodes[i].process.as_ref().map(Beside::said).unwrap_or_default()
    }

    /// The state directory of a node.
    #[must_use]
    pub fn state_dir(&self, i: usize) -> String {
        self.sandbox.file(&self.nodes[i].name)
    }
}
