//! Few, true tests: the built programs, real processes, sockets and disks,
//! used as a user uses them. This library is what those tests share.
//!
//! The programs must have been built into the same profile's directory before:
//! `cargo build --workspace --bins` (`cargo xtask test` does it).
//!
//! | module | what |
//! |---|---|
//! | [`Sandbox`] | one test's own home on a real disk; everything started in it ends with it |
//! | [`Up`] | a running `pmctl up` |
//! | [`Cluster`], [`Beside`] | the four services as processes of their own; any other program |
//! | [`Outcome`] | how a command ended, and what it said |
//! | [`Api`], [`EventWatch`] | a gRPC client of the gateway; waiting for events instead of polling |
//! | [`http`] | HTTP/1.1 by hand, byte by byte where a test needs it |
//! | [`Lines`] | the output of a running program, line by line, with bounded waits |
//! | [`until`] | bounded looking, for what no event tells of |
//! | [`proc`] | what the kernel says of a process |
//! | [`Replicas`], [`Plan`], [`RegistryClient`] | replicas of a registry: started, killed, paused, wiped; a client of one |
//! | [`faults`] | partitions, slow wires, full and dead disks, system calls, wrong clocks |
//! | [`Load`], [`Workload`], [`Record`] | clients under faults; what they leave, and the verdict over it |
//! | [`HistoryLog`], [`linear`] | a history of operations, and whether it is linearizable |
//! | [`TermWatch`], [`Bound`], [`Dice`], [`rounds`] | one leader a term; what is promised; chance that can be repeated; how long a run is |
//! | [`python`] | the interpreter with the test packages, and programs run by it |
//! | [`binary`] | where the built programs are |
//!
//! Every wait ends with what it waits for, or fails after [`DEADLINE`].

// A harness that cannot go on has nothing better to do than to fail its test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod beside;
pub mod binary;
mod bound;
mod cluster;
mod dice;
mod event_watch;
pub mod faults;
mod history_log;
pub mod http;
mod leftovers;
pub mod linear;
mod lines;
mod outcome;
mod ports;
pub mod proc;
pub mod python;
mod registry_client;
mod replicas;
mod sandbox;
mod term_watch;
mod until;
mod up;
mod workload;

pub use api::Api;
pub use beside::Beside;
pub use bound::Bound;
pub use cluster::{Cluster, Service};
pub use dice::{Dice, rounds};
pub use event_watch::EventWatch;
pub use faults::{Ballast, Disk, Image, Injection, Net, Proxy, Wire, clock};
pub use history_log::HistoryLog;
pub use lines::Lines;
pub use outcome::Outcome;
pub use ports::free_ports;
pub use registry_client::RegistryClient;
pub use replicas::{End, Plan, Replica, Replicas};
pub use sandbox::Sandbox;
pub use term_watch::TermWatch;
pub use until::until;
pub use up::{Credentials, Up};
pub use workload::{Gaps, Load, Proof, Record, Workload};

use std::time::Duration;

/// Longest wait for anything that should happen soon. Far above what is
/// normal, since a loaded machine must not fail a correct program.
pub const DEADLINE: Duration = Duration::from_secs(60);
