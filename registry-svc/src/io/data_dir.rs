//! The data directory: one registry at a time, and directory entries made
//! durable, which no engine here does by itself.
//!
//! ```text
//! lock        held while a registry is open
//! identity    the founding mark; see `identity`
//! log.redb    Raft log and vote
//! state/      rows (sled); can be rebuilt from snapshot and log
//! snapshots/  snapshot files
//! leaders     what openraft wants to know beside the state
//! ```

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The directory, locked.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another registry has it.
    #[error("the data directory {} is in use by another registry", .0.display())]
    InUse(PathBuf),
    /// It cannot be made, read or locked.
    #[error("cannot use the data directory {}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl DataDir {
    /// Makes the directory when it is missing, and locks it.
    ///
    /// # Errors
    /// Another registry has it, or it cannot be used.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |source| DataDirError::Io { path: path.to_owned(), source };
        // Readable for its owner only: specs may hold what the environment of
        // a program holds.
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let path = path.canonicalize().map_err(failed)?;
        Ok(Self { path, lock })
    }

    /// Lets another registry have it.
    pub fn unlock(&self) {
        // Closing the file would do the same; a failure changes nothing then.
        let _ = self.lock.unlock();
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// File of the founding mark.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.path.join("identity")
    }

    /// File of the Raft log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("log.redb")
    }

    /// Directory of the rows.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// File of what openraft wants to know beside the state.
    #[must_use]
    pub fn leaders(&self) -> PathBuf {
        self.path.join("leaders")
    }

    /// Directory of the snapshots.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }
}

/// Makes the entries of a directory durable.
///
/// # Errors
/// What the system said.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Puts a file in place, whole or not at all, durable on return.
///
/// # Errors
/// What the system said; the file is then as it was.
pub fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("tmp");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(&aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    sync_dir(path.parent().unwrap_or(Path::new("/")))
}
