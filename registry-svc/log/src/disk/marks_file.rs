//! The file of the marks: two slots, written alternately, so that one is
//! whole at any moment. Its lock is the log's lock.

use super::{Directory, allocate};
use crate::failpoint;
use crate::format::{BLOCK, Mark, SLOTS};
use crate::{Damage, OpenError};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

/// The open file.
#[derive(Debug)]
pub(crate) struct MarksFile {
    file: File,
    path: PathBuf,
}

impl MarksFile {
    /// Makes the file with its first mark. Durable, except for its name.
    pub(crate) fn create(directory: &Directory, first: &Mark) -> io::Result<()> {
        let path = directory.marks();
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
        allocate(&file, SLOTS * BLOCK)?;
        super::write_zeros(&file, SLOTS * BLOCK)?;
        let marks = Self { file, path };
        marks.put(first)?;
        marks.file.sync_all()
    }

    /// Opens and locks the file: for this process alone, or, only to look,
    /// together with others that only look.
    pub(crate) fn open(directory: &Directory, only_looks: bool) -> Result<Self, OpenError> {
        let path = directory.marks();
        let file = match OpenOptions::new().read(true).write(!only_looks).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenError::Missing(path)),
            Err(error) => return Err(OpenError::io("open", path)(error)),
        };
        match if only_looks { file.try_lock_shared() } else { file.try_lock() } {
            Ok(()) => Ok(Self { file, path }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.path().to_owned())),
            Err(TryLockError::Error(source)) => Err(OpenError::io("lock", path)(source)),
        }
    }

    /// The mark that counts.
    pub(crate) fn read(&self) -> Result<Mark, OpenError> {
        let file = self.path.clone();
        let failed = |source| OpenError::io("read", &self.path)(source);
        let found = self.file.metadata().map_err(failed)?.len();
        if found != SLOTS * BLOCK {
            return Err(OpenError::WrongLength { file, found, expected: SLOTS * BLOCK });
        }
        let mut marks = Vec::new();
        for slot in 0..SLOTS {
            let mut block = vec![0; BLOCK as usize];
            self.file.read_exact_at(&mut block, slot * BLOCK).map_err(failed)?;
            marks.push(match Mark::read(&block) {
                Some(Err(found)) => return Err(OpenError::UnknownFormat { file, found }),
                // A mark in the other's slot was not put there by us.
                Some(Ok(mark)) => Some(mark).filter(|mark| mark.slot() == slot),
                None => None,
            });
        }
        Mark::newest(&marks).ok_or(OpenError::Damaged { file, offset: 0, damage: Damage::Marks })
    }

    /// Writes a mark, durable on return.
    pub(crate) fn write(&self, mark: &Mark) -> io::Result<()> {
        failpoint::hit("mark.before")?;
        self.put(mark)?;
        self.file.sync_data()?;
        failpoint::hit("mark.after")
    }

    fn put(&self, mark: &Mark) -> io::Result<()> {
        let (block, at) = (mark.encode(), mark.slot() * BLOCK);
        if failpoint::is_armed("mark.torn") {
            // In the middle of the fields, or the half would be the whole.
            self.file.write_all_at(&block[..80], at)?;
            failpoint::hit("mark.torn")?;
        }
        self.file.write_all_at(&block, at)
    }

    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }
}

impl Drop for MarksFile {
    fn drop(&mut self) {
        // Closing the file would do it too, though only once every process
        // that is just being started has closed its copy.
        let _ = self.file.unlock();
    }
}
