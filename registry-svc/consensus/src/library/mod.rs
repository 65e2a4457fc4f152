//! The only place that names the Raft library (openraft 0.9). Everything else
//! speaks the words of this package; another version, or another library, is
//! this folder written anew.
//!
//! | file | what |
//! |---|---|
//! | `type_config` | what is replicated |
//! | `words` | our words ⇄ the library's |
//! | `record` | an entry as bytes |
//! | `log_store` | the library's log over [`LogDisk`](crate::LogDisk) |
//! | `machine_port` | its state machine over [`Machine`](crate::Machine) |
//! | `network` | its network over [`Peers`](crate::Peers) |
//! | `covered` | the log is not purged before the snapshot is there |
//! | `went_back` | a follower that lost what it acknowledged is kept from the library |
//! | `tuning` | its numbers, and why |

mod covered;
mod fault;
mod log_store;
mod machine_port;
mod network;
mod record;
#[cfg(test)]
mod suite_tests;
mod tuning;
mod type_config;
mod went_back;
mod words;

pub(crate) use covered::Covered;
pub use fault::ConsensusError;
pub(crate) use fault::broken;
pub(crate) use log_store::LogStore;
pub(crate) use machine_port::{MachinePort, library_snapshot};
pub(crate) use network::Network;
pub(crate) use record::read_record;
pub(crate) use tuning::config;
pub(crate) use type_config::Raft;
pub(crate) use words::{
    answered_append, answered_vote, asked_append, asked_vote, members_of, nodes_of, position, raft_vote, vote_of,
};
