//! A backup: the registry's state at one revision, as one file.
//!
//! ```text
//! "PMBACKUP" ‖ format (4) ‖ length of the manifest (4) ‖ manifest (MessagePack) ‖ crc32 of all before (4)
//! { length of the part (4) ‖ crc32 of its bytes (4) ‖ bytes }…      each at most 64 KiB
//! 0 (4) ‖ SHA-256 of all before (32)                               numbers: big endian
//! ```
//! The parts together are rows as in a snapshot's body: `{ length (4) ‖ row }…`.
//! Nothing of a replica is in it: neither its log nor its number nor a token.
//! Everything of the specs is, their environment included.
//!
//! | module | what |
//! |---|---|
//! | [`Manifest`] | what it is of |
//! | [`write()`] | a state → its bytes |
//! | [`Reader`] | bytes → verified parts; says where they are damaged |
//! | [`Whole`] | whether bytes that pass by end as a backup does |

mod error;
mod manifest;
mod reader;
mod whole;
mod writer;

pub use error::BackupError;
pub(crate) use manifest::hex;
pub use manifest::{About, Counts, Manifest};
pub use reader::Reader;
pub use whole::Whole;
pub use writer::write;

/// How a backup begins.
const MAGIC: &[u8; 8] = b"PMBACKUP";
/// The format that is written and read here.
const FORMAT: u32 = 1;
/// Longest part: its bytes are one row of a replica's store while a restore
/// goes on, and stay below what a store takes in one piece.
const PART: usize = 64 << 10;
/// Bytes of a checksum over everything.
const TRAILER: usize = 32;
