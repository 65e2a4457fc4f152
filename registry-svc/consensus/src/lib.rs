//! Consensus between the replicas of a registry: the one place that knows the
//! Raft library. What it needs comes in through four ports; what it decides
//! leaves as committed entries.
//!
//! ```text
//!  propose ─▶ Consensus ─▶ Raft library ─▶ LogDisk   the log, durable before anybody is told
//!  confirm ─▶     │             │        ─▶ Peers     calls and notes to the others
//!                 │             └────────▶ Machine   committed entries, in order; snapshots
//!  Door ─────────▶┘  what the others ask of us
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`LogDisk`] | the disk under the log |
//! | [`Machine`] | what is replicated; it applies, snapshots and installs |
//! | [`Peers`], [`Door`] | the way to the others and back; [`Call`], [`Answer`], [`Note`] are the messages |
//! | [`Committed`], [`Payload`], [`Members`], [`Answers`], [`Snapshot`] | the words they share |

mod answers;
mod committed;
mod conduct;
mod consensus;
mod door;
mod doorway;
mod edge;
mod library;
mod log_disk;
mod machine;
mod members;
mod membership;
mod messages;
mod news;
mod offline;
mod opening;
mod payload;
mod peers;
mod propose;
mod reading;
mod settings;
mod signs;
mod snapshot;
mod standing;

pub use answers::Answers;
pub use committed::{Committed, Entry};
pub use consensus::{Consensus, Ports};
pub use door::Door;
pub use library::ConsensusError;
pub use log_disk::{Done, LogDisk};
pub use machine::{Applied, Machine, MachineFault};
pub use members::Members;
pub use membership::Reached;
pub use messages::{Answer, Append, Appended, Call, LogRecord, Note, VoteAnswer, VoteQuestion};
pub use offline::read_entry;
pub use payload::Payload;
pub use peers::{LinkEvent, PeerFault, Peers};
pub use propose::ProposeFault;
pub use reading::ReadFault;
pub use registry_log::Vote;
pub use registry_quorum::elections::{HandOverEnd, Why};
pub use registry_quorum::{Position, ReplicaId, Voters};
pub use settings::Settings;
pub use snapshot::{Snapshot, SnapshotMeta, SnapshotSink, SnapshotSource};
pub use standing::{Role, Standing};
