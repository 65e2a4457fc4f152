//! Elections in a virtual world: three and five replicas, each with `Elections`
//! over a small model of openraft's voting, on a network and with clocks, disks
//! and processes that fail by a seed. After each step the checks of `checks.rs`
//! hold; after the last fault somebody leads within a bounded time.
//!
//! `PM_SIM_SEEDS=2000` runs more seeds, `PM_SIM_SEED=17` one of them, and with `PM_SIM_TRACE=1` it tells its story.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::wildcard_enum_match_arm)]
// The clippy.toml of this package forbids what only the library must not do: a seed is read from the environment.
#![allow(clippy::disallowed_methods)]

mod checks;
mod conduct;
mod failover;
mod faults;
mod network;
mod node;
mod raft;
mod scenes;
mod storm;
mod world;
