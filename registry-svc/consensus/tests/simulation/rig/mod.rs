//! A cluster in virtual time, in one thread: real consensus, real Raft
//! library, real elections on disks and links that fail by a seed. What is
//! replicated, and what runs over it, comes in as a [`Subject`]: the consensus'
//! own simulation brings words, that of the registry includes this folder and
//! brings its domain, clients and runners.
//!
//! | module | what |
//! |---|---|
//! | [`World`] | replicas that start, crash and start again; the cluster as a whole |
//! | `life` | one start of a replica |
//! | `disk/`, `net/`, `shelf`, `received` | what they stand on |
//! | [`Subject`], `watched` | what is replicated, under the oracle's eyes |
//! | [`Oracle`] | the promises |
//! | [`storm`](World::storm) | faults by chance; `faults` is each of them |
//! | [`Seeds`] | many seeds, each in a process of its own, and what they have to have seen |
//! | [`Dice`] | all chance |
//!
//! One clock drives all replicas, so their clocks cannot drift apart here.
//! What can differ does: each replica has its own election timeout and seed,
//! and no time of one replica is ever compared with one of another.

mod dice;
mod disk;
mod faults;
mod life;
mod net;
pub(crate) mod oracle;
mod received;
pub(crate) mod seeds;
mod shelf;
mod storm;
mod subject;
mod watched;
mod world;

pub(crate) use dice::Dice;
pub(crate) use disk::{Kept, SimDisk};
pub(crate) use faults::Fault;
pub(crate) use life::Life;
pub(crate) use net::{Net, Pipe, Weather};
pub(crate) use oracle::Oracle;
pub(crate) use received::Bits;
pub(crate) use seeds::Seeds;
pub(crate) use shelf::Shelf;
pub(crate) use subject::{Stand, Subject};
pub(crate) use world::{Crash, World};
