//! The consensus in virtual time: hundreds of seeds of crashes, cuts, stalls,
//! full disks, lost and repeated messages, and the promises after each step.
//!
//! `PM_SIM_SEEDS=2000` runs more seeds, `PM_SIM_SEED=17` one of them, and tells its story.
//!
//! | module | what |
//! |---|---|
//! | `rig/` | the cluster, its faults, the oracle, many seeds; knows no machine |
//! | `clients` | who writes, who reads, who changes the members |
//! | `words` | the machine: words, each counted once |
//! | `seeds` | the storm, with many seeds |
//! | `scenes/` | one situation each, made by hand |
//! | `entropy` | makes a seed repeat itself |

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod clients;
mod entropy;
// What only the simulation of the registry uses is not used here.
#[allow(dead_code, unused_imports)]
mod rig;
mod scenes;
mod seeds;
mod words;

/// Bytes of one append to a disk: some dozen words.
const LARGEST_APPEND: u64 = 16 << 10;
