//! The way between the replicas of a registry: one link from each to each
//! other one, over gRPC.
//!
//! ```text
//!  consensus ─ call, note ─▶ Links ─▶ Lane: queue, numbers ─▶ LinkRequest ═══▶ Reception ─▶ Accepted ─▶ Door
//!                 answers ◀─────────  Lane: who waits      ◀═══ LinkResponse ◀──────────────┘
//!            LinkEvents ◀── link (one task a peer): dial, greet, stand, fall, dial again
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`Links`] | the calling end, [`registry_consensus::Peers`]; `link` keeps one of them, `dial` and `greet` begin it, `lane` carries it |
//! | [`Reception`] | the answering end: the gRPC service; `accepted` is one link, `snapshot_in` one transfer |
//! | [`Identity`], [`Hello`], [`Registrar`], [`Turned`], [`Fenced`] | who talks, who judges, what follows |
//! | [`AddressBook`] | where replicas are: data, never identity |
//! | [`LevelBook`] | which commands the others know |
//! | [`introduce`], [`hand_out`], [`Introducer`], [`PlanTaker`] | before there is a cluster |
//! | `wire/` | messages ⇄ what they mean |
//! | `bounds`, [`Timing`] | every limit, every wait, and why |
//!
//! Decided here: that both ends are who they should be, before a word of
//! consensus is said. Not decided here: who is a member, what a call means.

mod accepted;
mod address_book;
mod attendant;
mod backoff;
mod bounds;
mod dial;
mod fenced;
mod greet;
mod identity;
mod introduce;
mod introducer;
mod lane;
mod level_book;
mod link;
mod links;
mod listener;
mod peer;
mod reception;
mod registrar;
mod shared;
mod snapshot_in;
mod snapshot_out;
mod timing;
mod turned_away;
mod wire;

pub use address_book::AddressBook;
pub use attendant::Attendant;
pub use bounds::{MAX_IN_FLIGHT, MAX_MESSAGE_BYTES, MAX_QUEUED, MAX_QUEUED_BYTES, STREAM_WINDOW};
pub use fenced::Fenced;
pub use identity::{Hello, Identity, PROTOCOL, Progress};
pub(crate) use introduce::FORWARDED;
pub use introduce::{EnrollFault, IntroduceFault, enroll, hand_out, introduce};
pub use introducer::{Introduced, Introducer, PlanTaker};
pub use level_book::{Known, LevelBook};
pub use links::{Links, Settings};
pub use reception::Reception;
pub use registrar::{Reason, Registrar, Stops, Turned};
pub use timing::Timing;
