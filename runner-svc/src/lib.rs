//! The runner: the only part that starts, signals and stops. It turns
//! assignments into supervised process trees and goes on with every other
//! service gone.
//!
//! ```text
//!  registry ──assignments, actions──▶ session ─▶ roster ─▶ instance (one task each) ──▶ keeper ──▶ programs
//!           ◀──reports, heartbeats───         ◀─ journal ◀──┘   ▲ probes, log watchdog
//!  monitor  ◀──samples, log chunks─── intake  ◀─ sampler, tails
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`runner`] | the handle: start, assign, drain, detach |
//! | `roster` | which instances there are, their order and their schedules |
//! | `instance` | the driver of one instance: input → step → persist → act |
//! | `io/journal` | what survives this process: assignments, memos, unsent reports |
//! | `io/keeper_link` | the socket to the keeper |
//! | `io/session`, `io/intake` | the two streams that the runner dials |
//! | `units` | actions on units of systemd, by D-Bus |
//! | `lease` | until when this node may run singletons |
//! | `mailbox`, `latest` | channels that cost an idle instance next to nothing |
//! | `api` | the local gRPC service: what this node knows |
//! | [`identity`] | this node's certificate: joining, renewal |
//! | `metrics` | what a scraper sees: `pm_runner_…` |
//! | `io/probe`, `io/log_watch`, `io/sampler`, `io/tail` | observing |
//! | `io/program`, `io/users` | from a spec to a program, an environment, an identity |
//!
//! The decisions are in the crate `runner-domain`, the keeper in
//! `runner-keeper`.

mod api;
mod clock;
pub mod identity;
mod instance;
mod io;
mod latest;
mod lease;
mod mailbox;
mod metrics;
pub mod notice;
mod options;
mod roster;
pub mod runner;
mod units;

pub use io::boot::boot_id;
pub use notice::{Notice, NoticeKind};
pub use options::{InvalidOptions, Options, PolicyFile};
pub use runner::{Hurry, Reload, Runner, StartError};
pub use runner_keeper::{give_back_code, keeper_lives};

/// This host's name as a node name.
///
/// # Errors
/// The host has no name, or one that is no node name; give one then.
pub fn host_name() -> anyhow::Result<process_model::NodeName> {
    let name = nix::unistd::gethostname()?.to_string_lossy().into_owned();
    Ok(name.parse()?)
}

/// Becomes a keeper, and never returns, if this process was started as one.
/// The first call of every `main` that can host a runner.
pub fn keeper_main_if_asked() {
    runner_keeper::main_if_asked();
}
