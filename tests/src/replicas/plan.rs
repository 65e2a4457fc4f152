//! Where each replica of a cluster is, and how it is started. Whatever the
//! plan does not say is as for a user who names the flags of the README.

use super::{Replica, Replicas};
use crate::{Net, Sandbox, binary, ports};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// A cluster that is not started yet.
pub struct Plan {
    pub(super) places: Vec<Place>,
    /// So many of them found the cluster; the rest may join it.
    founders: usize,
    args: Vec<String>,
    token_file: String,
    token: String,
}

/// One replica's place.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) address: SocketAddr,
    pub(super) ops: SocketAddr,
    pub(super) directory: PathBuf,
    pub(super) log: PathBuf,
    /// Words before the program: how its namespace is entered.
    pub(super) enter: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) arguments: Vec<String>,
}

impl Plan {
    /// So many replicas on loopback, each with a directory in the sandbox.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn new(sandbox: &Sandbox, count: usize) -> Self {
        Self::on(sandbox, &vec![IpAddr::V4(Ipv4Addr::LOCALHOST); count])
    }

    /// One replica in each space of a network.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn in_spaces(sandbox: &Sandbox, net: &Net, count: usize) -> Self {
        let hosts: Vec<IpAddr> = (0..count).map(|i| net.host(i).into()).collect();
        let mut plan = Self::on(sandbox, &hosts);
        plan.args.extend(["--allow-remote".to_owned(), "--insecure-plaintext".to_owned()]);
        for (i, place) in plan.places.iter_mut().enumerate() {
            place.enter = net.enter(i);
        }
        plan
    }

    fn on(sandbox: &Sandbox, hosts: &[IpAddr]) -> Self {
        let token = "a-token-that-the-services-share-0123456789".to_owned();
        let token_file = sandbox.write("service.token", &token);
        std::fs::set_permissions(&token_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let place = |(i, host): (usize, &IpAddr)| Place {
            address: SocketAddr::new(*host, ports::free()),
            ops: SocketAddr::new(*host, ports::free()),
            directory: sandbox.path().join(format!("registry-{i}")),
            log: sandbox.path().join(format!("registry-{i}.log")),
            enter: Vec::new(),
            environment: Vec::new(),
            arguments: Vec::new(),
        };
        let places: Vec<Place> = hosts.iter().enumerate().map(place).collect();
        Self { founders: places.len(), places, args: Vec::new(), token_file, token }
    }

    /// So many places more, for replicas that join: to be started with
    /// `--join`, when it is their turn.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn joiners(mut self, sandbox: &Sandbox, count: usize) -> Self {
        for i in self.places.len()..self.places.len() + count {
            let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
            self.places.push(Place {
                address: SocketAddr::new(host, ports::free()),
                ops: SocketAddr::new(host, ports::free()),
                directory: sandbox.path().join(format!("registry-{i}")),
                log: sandbox.path().join(format!("registry-{i}.log")),
                enter: Vec::new(),
                environment: Vec::new(),
                arguments: Vec::new(),
            });
        }
        self
    }

    /// One replica's data is here.
    #[must_use]
    pub fn directory(mut self, i: usize, directory: &Path) -> Self {
        self.places[i].directory = directory.to_path_buf();
        self
    }

    /// One replica has these variables.
    #[must_use]
    pub fn environment(mut self, i: usize, variables: Vec<(String, String)>) -> Self {
        self.places[i].environment.extend(variables);
        self
    }

    /// All replicas have these arguments more.
    #[must_use]
    pub fn arguments(mut self, words: &[&str]) -> Self {
        self.args.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Port of one replica, for a detour.
    #[must_use]
    pub fn address(&self, i: usize) -> SocketAddr {
        self.places[i].address
    }

    /// Starts all founders and waits until they serve and one leads.
    ///
    /// # Panics
    /// When they do not within the deadline.
    #[must_use]
    pub fn start(self) -> Replicas {
        let founders = self.founders;
        let mut replicas = self.spawn();
        for i in 0..founders {
            replicas.replica(i).wait_until_ready();
        }
        let _ = replicas.wait_for_leader();
        replicas
    }

    /// Starts all founders at once and waits for nothing.
    #[must_use]
    pub fn spawn(self) -> Replicas {
        let founders = self.founders;
        let mut replicas = self.made();
        for i in 0..founders {
            replicas.replica(i).spawn();
        }
        replicas
    }

    /// Everything ready to be started, one by one.
    #[must_use]
    pub fn made(mut self) -> Replicas {
        let peers = self.places.iter().fold(String::new(), |mut peers, place| {
            let separator = if peers.is_empty() { "" } else { "," };
            let _ = write!(peers, "{separator}http://{}", place.address);
            peers
        });
        let count = self.founders;
        for (i, place) in self.places.iter_mut().enumerate() {
            let own = |name: &str, value: &str| [name.to_owned(), value.to_owned()];
            let mut arguments = Vec::new();
            arguments.extend(own("--data-dir", place.directory.to_str().expect("the path is UTF-8")));
            arguments.extend(own("--listen", &place.address.to_string()));
            arguments.extend(own("--ops-listen", &place.ops.to_string()));
            arguments.extend(own("--service-token-file", &self.token_file));
            arguments.extend(own("--advertise", &format!("http://{}", place.address)));
            if count > 1 || i >= count {
                arguments.extend(own("--peers", &peers));
            }
            if count > 1 && i < count {
                arguments.extend(own("--replicas", &count.to_string()));
            }
            arguments.extend(self.args.iter().cloned());
            place.arguments = arguments;
        }
        let program = binary::path("registry-svc");
        let replicas = self.places.into_iter().map(|place| Replica::new(place, &program)).collect();
        Replicas::planned(replicas, self.token)
    }
}
