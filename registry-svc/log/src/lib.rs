//! A durable log on a disk: what a Raft replica must not forget. Entries
//! (index, term, opaque bytes), vote, purge and committed position; no word
//! about consensus, runtimes or what the bytes mean.
//!
//! ```text
//!  submit ─▶ admitted, placed, visible to read ─▶ queue ─▶ writer thread: one write, one fdatasync for
//!            (State, under one lock)                        all that waits ─▶ callbacks, in order
//!                                                           │
//!  chores thread: marks after the fact · next segment ahead ◀ · segments free again · the reserve
//! ```
//! | folder | what |
//! |---|---|
//! | here | the words of the interface: one type a file |
//! | `format/` | bytes on disk: segment header, record, mark; pure |
//! | `content/` | what a log holds and where; pure |
//! | `recovery/` | what an opened directory is: whole, cut by a crash, or damaged; decided purely, read by `scan` |
//! | `disk/` | files and directories |
//! | `running/` | the open log: state, writer, chores |
//!
//! Promises, each with tests that try to break it (`tests/`):
//! * a callback says `Ok` only after fdatasync of everything before it;
//! * what a callback confirmed is there after a crash or a power cut, in order and unchanged;
//! * opening tells what a crash leaves behind from damage, and answers damage with an error that names file and offset;
//! * the first failed write or sync is the end of the log: nothing is ever synced a second time;
//! * a full disk refuses appends and nothing else; it recovers by itself.
//!
//! In debug builds `PM_FAIL_POINT=name:n:action` ends, stops or fails the process at a named [`fail_point`].
#![forbid(unsafe_code)]

mod content;
mod disk;
mod failpoint;
mod format;
mod recovery;
mod running;

mod damage;
mod durable;
mod entry;
mod extent;
mod fault;
mod figures;
mod floor;
mod histogram;
mod identity;
mod limit;
mod log;
mod notice;
mod open_error;
mod position;
mod read_error;
mod refused;
mod settings;
mod space;
mod survey;
mod vote;
mod write;

pub use damage::Damage;
pub use durable::Durable;
pub use entry::Entry;
pub use extent::Extent;
pub use failpoint::hit as fail_point;
pub use fault::Fault;
pub use figures::Figures;
pub use floor::Floor;
pub use histogram::Histogram;
pub use identity::Identity;
pub use limit::Limit;
pub use log::{Log, verify};
pub use notice::{Notice, Notify};
pub use open_error::OpenError;
pub use position::{Lsn, Position};
pub use read_error::ReadError;
pub use refused::Refused;
pub use settings::Settings;
pub use space::Space;
pub use survey::{Cut, Survey};
pub use vote::Vote;
pub use write::Write;
