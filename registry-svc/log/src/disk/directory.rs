//! Names in the log's directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of a log.
#[derive(Debug, Clone)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number:08}.seg"))
    }

    pub(crate) fn marks(&self) -> PathBuf {
        self.0.join("marks")
    }

    pub(crate) fn making(&self) -> PathBuf {
        self.0.join("making.tmp")
    }

    pub(crate) fn reserve(&self) -> PathBuf {
        self.0.join("reserve")
    }

    /// Segment files by number.
    pub(crate) fn segments(&self) -> io::Result<BTreeMap<u64, PathBuf>> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.0)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name.and_then(|name| name.strip_suffix(".seg")).and_then(|digits| digits.parse().ok());
            // Only the name that we would give it: "1.seg" is nobody's.
            if let Some(number) = number.filter(|number| self.segment(*number) == path) {
                found.insert(number, path);
            }
        }
        Ok(found)
    }

    /// Makes names durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        sync_directory(&self.0)
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes a file that may not be there.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
