//! Snapshots: files with a checksum over everything, written aside, synced,
//! renamed, the directory synced.
//!
//! | module | what |
//! |---|---|
//! | `head` | the first bytes: what it is of, how long it is, what it adds up to |
//! | `writer` | rows → a file |
//! | `reader` | a file, or what a peer has → verified → rows |
//! | `source` | a file's bytes for whoever sends them |
//! | `sink` | where a peer's bytes go |
//! | `strides` | syncs on the way, so that the last one is short |
//! | [`memory`] | the same bytes without a file |
//! | [`files`] | the directory: names, the newest, the old, the damaged |

mod error;
pub mod files;
mod head;
pub mod memory;
mod reader;
mod sink;
mod source;
mod strides;
mod writer;

pub use error::SnapshotError;
pub use files::SnapshotFiles;

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes the entries of a directory durable.
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
