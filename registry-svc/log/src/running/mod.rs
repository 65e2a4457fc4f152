//! The open log. One lock guards the [`State`]; two threads work for it.
//!
//! | module | what |
//! |---|---|
//! | [`state`] | judges and places requests; what readers and threads share |
//! | [`shared`] | the state with its lock and its wake-ups; failing |
//! | [`writer`] | the writer thread: groups of records to the disk, answers |
//! | [`group`] | records of one group, as bytes |
//! | [`chores`] | the chores thread: when what is due |
//! | [`keeping`] | the chores themselves: marks, segments, the reserve |
//! | [`reading`] | entries from memory and disk |
//! | [`start`] | from an inspected directory to a running log |

mod chores;
mod group;
mod keeping;
mod queued;
mod reading;
mod shared;
mod start;
mod state;
mod ticket;
mod writer;

pub(crate) use keeping::free_bytes;
pub(crate) use reading::read;
pub(crate) use shared::Shared;
pub(crate) use start::{Started, create, start, stop};
