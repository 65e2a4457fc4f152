//! Where a peer's bytes go: a file aside that is named for the snapshot, so
//! that a transfer that was interrupted goes on where it was. It becomes a
//! snapshot only when it is installed.

use super::files::SnapshotFiles;
use super::head::damaged;
use super::reader;
use super::source::OpenFile;
use super::strides::{self, Strides};
use registry_consensus::{MachineFault, Snapshot, SnapshotMeta, SnapshotSink};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

/// A file that is being received.
pub(super) struct Receiving {
    files: SnapshotFiles,
    meta: SnapshotMeta,
    path: PathBuf,
    file: File,
    strides: Strides,
    there: u64,
    total: u64,
}

impl Receiving {
    /// Begins, or goes on.
    pub(super) fn begin(files: &SnapshotFiles, meta: &SnapshotMeta, total: u64) -> io::Result<Self> {
        let path = files.receiving(&meta.id)?;
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(&path)?;
        let mut there = file.seek(SeekFrom::End(0))?;
        if there > total {
            // Not the same bytes, whatever its name says.
            file.set_len(0)?;
            there = file.seek(SeekFrom::Start(0))?;
        }
        Ok(Self { files: files.clone(), meta: meta.clone(), path, file, strides: Strides::default(), there, total })
    }

    fn complete(&self) -> Result<Snapshot, super::SnapshotError> {
        let what = self.path.display().to_string();
        let io = |source| super::SnapshotError::Io { path: what.clone(), source };
        if self.there != self.total {
            return Err(damaged(&what, format!("{} of {} bytes came", self.there, self.total)));
        }
        self.file.sync_all().map_err(io)?;
        let source = OpenFile::new(self.file.try_clone().map_err(io)?).map_err(io)?;
        let verified = reader::verify(&what, &source)?;
        if verified.meta != self.meta {
            return Err(damaged(&what, "it is another one than was announced"));
        }
        self.files.sync().map_err(io)?;
        Ok(Snapshot { meta: self.meta.clone(), source: Arc::new(source) })
    }
}

impl SnapshotSink for Receiving {
    fn offset(&self) -> u64 {
        self.there
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let after = self.there + bytes.len() as u64;
        if after > self.total {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "more bytes came than were announced"));
        }
        if let Err(error) = self.file.write_all(bytes) {
            // A part of them may be there; only what is counted is.
            self.file.set_len(self.there)?;
            self.file.seek(SeekFrom::Start(self.there))?;
            return Err(error);
        }
        if let Err(error) = self.strides.wrote(&self.file, bytes.len()) {
            // What the disk has of it is not known: the next transfer begins anew.
            strides::forget(&self.file, &self.path);
            return Err(error);
        }
        self.there = after;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Snapshot, MachineFault> {
        self.complete().map_err(|error| {
            // Whatever is wrong with it, going on with it would not mend it.
            if let Err(error) = std::fs::remove_file(&self.path) {
                tracing::warn!(path = %self.path.display(), %error, "cannot remove a damaged transfer");
            }
            MachineFault::new("a snapshot from a peer cannot be used", error)
        })
    }
}
