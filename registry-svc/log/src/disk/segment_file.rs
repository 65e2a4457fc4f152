//! One segment's file.

use super::directory::remove_if_there;
use super::{Directory, allocate, write_zeros};
use crate::failpoint;
use crate::format::SegmentHeader;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// An open segment.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    file: File,
    path: PathBuf,
    bytes: u64,
    tag: u64,
}

impl SegmentFile {
    /// Opens a file that may be a segment; what its header says is not yet
    /// known.
    pub(crate) fn open(path: &Path, writable: bool) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(writable).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, path: path.to_owned(), bytes, tag: 0 })
    }

    /// As its header says.
    pub(crate) fn tagged(self, header: &SegmentHeader) -> Self {
        Self { tag: header.tag, ..self }
    }

    /// Makes a segment: aside, full of zeros, synced, then named. A crash
    /// leaves either nothing under its name or all of it. After an error
    /// nothing is left that takes room.
    pub(crate) fn create(directory: &Directory, header: &SegmentHeader) -> io::Result<Self> {
        let aside = directory.making();
        let made = Self::create_aside(&aside, header).and_then(|file| Self::name(directory, file, &aside, header));
        if made.is_err() {
            remove_if_there(&aside)?;
        }
        made
    }

    fn create_aside(aside: &Path, header: &SegmentHeader) -> io::Result<File> {
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).mode(0o600).open(aside)?;
        allocate(&file, header.bytes)?;
        failpoint::hit("segment.allocated")?;
        write_zeros(&file, header.bytes)?;
        file.write_all_at(&header.encode(), 0)?;
        file.sync_all()?;
        failpoint::hit("segment.written")?;
        Ok(file)
    }

    /// Makes a segment out of one that no mark lists any more. What it held
    /// stays in it: records with another tag are nothing.
    pub(crate) fn recycle(directory: &Directory, freed: &Path, header: &SegmentHeader) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(freed)?;
        file.write_all_at(&header.encode(), 0)?;
        file.sync_all()?;
        failpoint::hit("segment.recycled")?;
        Self::name(directory, file, freed, header)
    }

    fn name(directory: &Directory, file: File, from: &Path, header: &SegmentHeader) -> io::Result<Self> {
        let path = directory.segment(header.number);
        std::fs::rename(from, &path)?;
        directory.sync()?;
        failpoint::hit("segment.named")?;
        Ok(Self { file, path, bytes: header.bytes, tag: header.tag })
    }

    /// Its whole content.
    pub(crate) fn read_all(&self, into: &mut Vec<u8>) -> io::Result<()> {
        into.resize(usize::try_from(self.bytes).map_err(io::Error::other)?, 0);
        self.file.read_exact_at(into, 0)
    }

    pub(crate) fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(into, offset)
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// fdatasync.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Stands in each of its records.
    pub(crate) fn tag(&self) -> u64 {
        self.tag
    }
}
