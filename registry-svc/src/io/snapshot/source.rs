//! A file's bytes for whoever sends them. The file is open, so they stay
//! readable when a newer snapshot has taken its name or its place.

use bytes::Bytes;
use registry_consensus::SnapshotSource;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// An open snapshot file.
pub(super) struct OpenFile {
    file: File,
    len: u64,
}

impl OpenFile {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }
}

impl SnapshotSource for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, most: usize) -> io::Result<Bytes> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; most.min(left)];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes.into())
    }
}
