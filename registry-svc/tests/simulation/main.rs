//! The registry in virtual time: several replicas with real consensus, real
//! domain, driver, leases and sessions, and nodes with the real life cycle of
//! instances; crashes, cuts, loss, full disks, wrong clocks, and the promises
//! after each step.
//!
//! `PM_SIM_SEEDS=2000` runs more seeds, `PM_SIM_SEED=17` one of them, and tells its story.
//!
//! | module | what |
//! |---|---|
//! | `rig/` | the cluster, its faults, the oracle, many seeds; of the consensus' simulation |
//! | `replica` | the machine without a disk, the office over it |
//! | `town` | what is outside: clocks, nodes, the judge |
//! | `judge` | the promises of the domain |
//! | `clients`, `wishes` | who asks for what, again and again until it is answered |
//! | `runners/` | nodes: what they keep, what runs, whom they obey |
//! | `troubles` | the faults that the rig does not have |
//! | `seeds`, `siege` | the storm, with many seeds; a long siege of a singleton |
//! | `entropy` | makes a seed repeat itself |

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod clients;
#[path = "../../consensus/tests/simulation/entropy.rs"]
mod entropy;
mod judge;
mod replica;
// What only scenes of the consensus use is not used here.
#[allow(dead_code, unused_imports)]
#[path = "../../consensus/tests/simulation/rig/mod.rs"]
mod rig;
mod runners;
mod seeds;
mod settles;
mod siege;
mod town;
mod troubles;
mod wishes;

/// Bytes of one append to a disk: what a hundred commands take that were held up together.
const LARGEST_APPEND: u64 = 128 << 10;
