//! What an opened directory is: whole, cut short by a crash, or damaged.
//!
//! ```text
//! marks ─▶ which segments must exist, what must be durable, where it ends
//! segments, oldest first ─▶ Replay: record after record while the chain holds ─▶ Contents, the end
//! what lies behind the end ─▶ Remains: does a sound record prove that the end was not the end?
//!
//!   end before the mark's record                         LostTail
//!   a sound record of a later group behind the end       Damaged at the end: a group is only written
//!                                                        when the one before it was synced
//!   anything else behind the end                         a crash cut the last group short: cut off
//! ```

mod remains;
mod replay;
mod scan;

pub(crate) use scan::{Scan, scan};
