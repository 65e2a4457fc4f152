//! The bytes on the disk, all integers little endian. Pure.
//!
//! ```text
//! NNNNNNNN.seg   header block (4 KiB) │ record │ record │ … │ zeros, or stale records of an earlier segment
//! marks          slot 0 (4 KiB) │ slot 1 (4 KiB); the readable one with the higher sequence counts
//! ```
//! Format 1. A change makes another number; an unknown number is an error.

mod chain;
mod change;
mod fields;
mod head;
mod mark;
mod raw;
mod record;
mod segment_header;
mod unsound;

pub(crate) use chain::Chain;
pub(crate) use change::Change;
pub(crate) use head::Head;
pub(crate) use mark::{Mark, SLOTS};
pub(crate) use raw::Raw;
pub(crate) use record::{LARGEST_CHANGE, encode, size_of_change, size_of_entry};
pub(crate) use segment_header::SegmentHeader;
pub(crate) use unsound::Unsound;

/// Size of the header of a segment and of a mark.
pub(crate) const BLOCK: u64 = 4096;
/// This format.
pub(crate) const FORMAT: u32 = 1;
