//! Why a log was not opened or made.

use crate::{Damage, Fault, Floor, Identity, Lsn};
use std::io;
use std::path::PathBuf;

/// A log that cannot be trusted is not opened. None of these errors changes
/// anything on the disk.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is a log already (or something else) where one should be made.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// Another process has it open.
    #[error("the log {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A size is out of its bounds.
    #[error("segments of {segment_bytes} bytes are not possible: 64 KiB to 1 GiB, a multiple of 4 KiB")]
    Settings {
        /// The asked size.
        segment_bytes: u64,
    },
    /// A file that belongs to the log is not there.
    #[error("{} is missing: the log is incomplete", .0.display())]
    Missing(PathBuf),
    /// A file has another length than it was made with.
    #[error("{} has {found} bytes and was made with {expected}", file.display())]
    WrongLength {
        /// The file.
        file: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// The length in bytes that it was made with.
        expected: u64,
    },
    /// It is another replica's, cluster's, epoch's or directory's.
    #[error("{} belongs to {found}, not to {expected}", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// Whose it is.
        found: Box<Identity>,
        /// Whose it should be.
        expected: Box<Identity>,
    },
    /// It was written by another version of this program.
    #[error("{} has format {found}, which this version does not know", file.display())]
    UnknownFormat {
        /// The file.
        file: PathBuf,
        /// The format's number.
        found: u32,
    },
    /// Something in a file is wrong.
    #[error("{} is damaged at offset {offset}: {damage}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Offset in bytes.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The log ends before what is known to have been durable: its end is
    /// lost, or a file was replaced by an older copy.
    #[error("{} ends at offset {offset} with record {found}, but record {durable} was durable", file.display())]
    LostTail {
        /// The last segment file with a record.
        file: PathBuf,
        /// Offset in bytes of its end.
        offset: u64,
        /// The last record found.
        found: Lsn,
        /// The last record that the mark counts.
        durable: Lsn,
    },
    /// The marks are an older copy: the log went on after them.
    #[error("{} is older than the log: {} was written after it", marks.display(), file.display())]
    OldMarks {
        /// The marks file.
        marks: PathBuf,
        /// The segment file that proves it.
        file: PathBuf,
    },
    /// Entries between the purge position and the first entry are missing.
    #[error("{} does not begin where the purged entries end: entry {expected} is missing", file.display())]
    LostHead {
        /// The first segment file.
        file: PathBuf,
        /// The first missing index.
        expected: u64,
    },
    /// The whole directory is older than what others know of it.
    #[error("the log {} is older than what is known of it: boot {boot}, {}", dir.display(), known(known_floor))]
    WentBack {
        /// The log's directory.
        dir: PathBuf,
        /// How often it was opened, by its own account.
        boot: u64,
        /// What is known.
        known_floor: Floor,
    },
    /// The disk has no room for the few bytes that opening writes.
    #[error("the disk of {} is full", .0.display())]
    DiskFull(PathBuf),
    /// The system said no.
    #[error("cannot {doing} {}", file.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The log failed right after it was opened.
    #[error(transparent)]
    Failed(#[from] Fault),
}

fn known(floor: &Floor) -> String {
    let committed = floor.committed.map_or("nothing".to_owned(), |position| format!("entry {position}"));
    format!("others saw boot {} and {committed} committed", floor.boot)
}

impl OpenError {
    pub(crate) fn io(doing: &'static str, file: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        move |source| Self::Io { doing, file, source }
    }
}
