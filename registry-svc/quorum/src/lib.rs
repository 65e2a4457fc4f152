//! What the replicas of a registry decide about one another, and nothing else:
//! who may stand for leader and when, who founds a cluster, who may join or
//! leave, and what is kept when a majority is gone. Pure: time, chance and
//! everything seen come in as values; what is to be done leaves as values.
//!
//! ```text
//!  links, appends, answers, disk ─▶ Elections ─▶ stand · ask · suspend · hand over
//!  introductions of peers        ─▶ founding  ─▶ found · adopt · wait · join · refuse
//!  members + what is reachable   ─▶ members   ─▶ the steps that are left, or why not
//!  the remains of one replica    ─▶ recovery  ─▶ what is kept, lost and fenced
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`elections`] | pre-votes, suspension and hand-over around a Raft library that has none |
//! | [`founding`] | fresh peers become one cluster, never two |
//! | [`members`] | one change of the voters at a time, resumable at any step |
//! | [`recovery`] | the forced way on after quorum loss, and the fence behind it |
//! | [`Voters`], [`ReplicaId`], [`Position`], [`Millis`], [`Chance`] | the words they share |
//!
//! The service around it (`registry-svc`) owns the links, the disk, the clock
//! and the Raft library; this package knows none of them.

mod chance;
pub mod elections;
pub mod founding;
pub mod members;
mod millis;
mod position;
pub mod recovery;
mod replica_id;
mod voters;

pub use chance::Chance;
pub use elections::Elections;
pub use millis::Millis;
pub use position::Position;
pub use replica_id::{ReplicaId, listed};
pub use voters::Voters;
