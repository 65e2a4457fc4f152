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
//! | [`Cluster`] | the four services as processes of their own |
//! | [`Outcome`] | how a command ended, and what it said |
//! | [`Api`], [`EventWatch`] | a gRPC client of the gateway; waiting for events instead of polling |
//! | [`http`] | HTTP/1.1 by hand, byte by byte where a test needs it |
//! | [`Lines`] | the output of a running program, line by line, with bounded waits |
//! | [`until`] | bounded looking, for what no event tells of |
//! | [`proc`] | what the kernel says of a process |
//! | [`python`] | the interpreter with the test packages, and programs run by it |
//! | [`binary`] | where the built programs are |
//!
//! Every wait ends with what it waits for, or fails after [`DEADLINE`].

// A harness that cannot go on has nothing better to do than to fail its test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
pub mod binary;
mod cluster;
mod event_watch;
pub mod http;
mod leftovers;
mod lines;
mod outcome;
pub mod proc;
pub mod python;
mod sandbox;
mod until;
mod up;

pub use api::Api;
pub use cluster::{Cluster, Service};
pub use event_watch::EventWatch;
pub use lines::Lines;
pub use outcome::Outcome;
pub use sandbox::Sandbox;
pub use until::until;
pub use up::{Credentials, Up};

use std::time::Duration;

/// Longest wait for anything that should happen soon. Far above what is
/// normal, since a loaded machine must not fail a correct program.
pub const DEADLINE: Duration = Duration::from_secs(60);
