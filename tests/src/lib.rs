//! Few, true tests: the built programs, real processes, sockets and disks,
//! used as a user uses them. This library is what those tests share.
//!
//! The programs must have been built into the same profile's directory before:
//! `cargo build --workspace --bins` (`cargo xtask test` does it).
//!
//! | module | what |
//! |---|---|
//! | [`Sandbox`] | one test's own home on a real disk; everything started in it ends with it |
//! | [`Up`], [`Cluster`], [`Beside`] | a running `pmctl up`; the four services as processes of their own; any other program |
//! | [`Trusted`] | a cluster over mTLS, and nodes that join it |
//! | [`Crowd`] | runners without programs, thousands in one process |
//! | [`Outcome`] | how a command ended, and what it said |
//! | [`Api`], [`EventWatch`] | a gRPC client of the gateway; waiting for events instead of polling |
//! | [`EventSource`] | server-sent events, resumed as a browser does |
//! | [`http`] | HTTP/1.1 by hand, byte by byte where a test needs it |
//! | [`Lines`] | the output of a running program, line by line, with bounded waits |
//! | [`until`] | bounded looking, for what no event tells of |
//! | [`proc`] | what the kernel says of a process |
//! | [`Replicas`], [`Plan`], [`RegistryClient`] | replicas of a registry: started, killed, paused, wiped; a client of one |
//! | [`Fleet`], [`LockOracle`] | runners on nodes of their own; who says whether two copies ran at once |
//! | [`faults`] | partitions, slow wires, full and dead disks, system calls, wrong clocks |
//! | [`Load`], [`Workload`], [`Record`] | clients under faults; what they leave, and the verdict over it |
//! | [`HistoryLog`], [`linear`] | a history of operations, and whether it is linearizable |
//! | [`TermWatch`], [`Bound`], [`Dice`], [`rounds`] | one leader a term; what is promised; chance that can be repeated; how long a run is |
//! | [`Compose`] | the services of a Compose file, as processes in namespaces |
//! | [`Prometheus`], [`OtlpSink`] | who scrapes, and who receives traces; neither is ours |
//! | [`Systemd`], [`Boot`], [`Machine`] | systemd itself, as PID 1 of a namespace; a machine that it runs |
//! | [`pages`] | what the pages tell to type |
//! | [`Debian`], [`packages`], [`Images`] | a fresh server; what is installed on it; containers |
//! | [`python`], [`binary`] | the interpreter with the test packages, and programs run by it; where the built programs are |
//!
//! Every wait ends with what it waits for, or fails after [`DEADLINE`].

// A harness that cannot go on has nothing better to do than to fail its test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod beside;
pub mod binary;
mod bound;
mod cluster;
mod compose;
mod crowd;
mod debian;
mod dice;
mod event_source;
mod event_watch;
pub mod faults;
mod fleet;
mod history_log;
mod hosts_file;
pub mod http;
mod images;
mod leftovers;
pub mod linear;
mod lines;
pub mod machine;
mod otlp_sink;
mod outcome;
pub mod packages;
pub mod pages;
mod ports;
pub mod proc;
mod prometheus;
pub mod python;
mod registry_client;
mod replicas;
mod sandbox;
mod systemd;
mod term_watch;
mod trusted;
mod until;
mod up;
mod workload;

pub use api::Api;
pub use beside::Beside;
pub use bound::Bound;
pub use cluster::{Cluster, Service};
pub use compose::Compose;
pub use crowd::{Counts, Crowd, Invited};
pub use debian::{Debian, Network, root as debian_root};
pub use dice::{Dice, rounds};
pub use event_source::{EventSource, Sent};
pub use event_watch::EventWatch;
pub use faults::{Ballast, Disk, Image, Injection, Net, Proxy, Relay, Wire, Words, clock};
pub use fleet::{Fleet, LockOracle, Started};
pub use history_log::HistoryLog;
pub use images::Images;
pub use lines::Lines;
pub use machine::Machine;
pub use otlp_sink::OtlpSink;
pub use outcome::Outcome;
pub use ports::free_ports;
pub use prometheus::Prometheus;
pub use registry_client::RegistryClient;
pub use replicas::{End, LogReader, Plan, Replica, Replicas};
pub use sandbox::Sandbox;
pub use systemd::{Boot, Systemd};
pub use term_watch::TermWatch;
pub use trusted::Trusted;
pub use until::until;
pub use up::{Credentials, Up};
pub use workload::{Gaps, Load, Proof, Record, Workload};

use std::time::Duration;

/// Longest wait for anything that should happen soon. Far above what is
/// normal, since a loaded machine must not fail a correct program.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Longest wait for the end of a command that takes long by itself.
pub const LONG: Duration = Duration::from_secs(300);
