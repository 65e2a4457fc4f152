//! The audit log: who asked for what, and what came of it, each entry chained
//! to the one before. Shared by the registry, which writes it, and whoever
//! verifies it.
//!
//! | file | what |
//! |---|---|
//! | `entry` | one entry |
//! | `canonical` | the bytes of an entry that its hash covers |
//! | `chain` | hash of an entry; a verifier |
//! | `hash` | SHA-256 as a value |

mod canonical;
mod chain;
mod entry;
mod hash;

pub use canonical::encode;
pub use chain::{Anchor, Break, Verified, Verifier, link};
pub use entry::{AuditChange, AuditEntry, AuditOutcome, GenerationStep};
pub use hash::{AuditHash, InvalidHash};
