//! Files and directories of a log. Each call does one thing and returns what
//! the system said; what that means is decided elsewhere.
//!
//! ```text
//! marks            see `format::Mark`; locked while the log is open
//! NNNNNNNN.seg     segments, counted from 1
//! making.tmp       the next segment while it is made
//! reserve          takes room that a full disk gives back
//! ```

mod directory;
mod marks_file;
mod reserve;
mod segment_file;

pub(crate) use directory::{Directory, sync_directory};
pub(crate) use marks_file::MarksFile;
pub(crate) use reserve::Reserve;
pub(crate) use segment_file::SegmentFile;

use std::hash::{BuildHasher as _, RandomState};
use std::io;

/// Whether an error says that there is no room, which passes, unlike others.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A tag for a segment: its keys come from the system's chance, and a keyed
/// hash tells nobody what the next one will be. Not 0, which an unwritten place
/// would claim.
pub(crate) fn new_tag() -> u64 {
    RandomState::new().hash_one(0_u8).max(1)
}

/// Gives a file its size and its room on the disk.
fn allocate(file: &std::fs::File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        // Then writing it will tell whether there is room; a reserve, which
        // nobody writes, takes none on such a file system.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(bytes),
        Err(error) => Err(error.into()),
    }
}

/// Writes zeros over a whole file, so that later writes into it change
/// neither its size nor its extents: then fdatasync has only data to sync.
fn write_zeros(file: &std::fs::File, bytes: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let zeros = vec![0; 256 << 10];
    let mut offset = 0;
    while offset < bytes {
        let piece = (bytes - offset).min(zeros.len() as u64);
        file.write_all_at(&zeros[..piece as usize], offset)?;
        offset += piece;
    }
    Ok(())
}
