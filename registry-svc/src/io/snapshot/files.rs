//! The directory of snapshots.
//!
//! ```text
//! INDEX-TERM-ID.snapshot   counts; the newest two are kept
//! writing.tmp              is being written
//! ID.received              came from a peer, whole or in part
//! *.damaged                was set aside, for whoever looks into it
//! ```

use super::reader;
use super::source::OpenFile;
use super::strides::{self, Strides};
use super::sync_dir;
use super::{SnapshotError, sink, writer};
use crate::io::failpoint;
use registry_consensus::{Applied, Snapshot, SnapshotMeta, SnapshotSink, SnapshotSource};
use registry_domain::{Row, State};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many are kept: the newest, and one to fall back to.
const KEPT: usize = 2;

/// The snapshots of a data directory.
#[derive(Debug, Clone)]
pub struct SnapshotFiles {
    dir: PathBuf,
}

impl SnapshotFiles {
    /// The directory, made when missing.
    ///
    /// # Errors
    /// What the system said.
    pub fn open(dir: &Path) -> Result<Self, SnapshotError> {
        let files = Self { dir: dir.to_owned() };
        std::fs::create_dir_all(dir).map_err(|e| files.io(dir, e))?;
        // Of a start that ended before it was whole: nobody goes on with it, and it takes room.
        if let Err(error) = std::fs::remove_file(files.aside())
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(files.io(&files.aside(), error));
        }
        sync_dir(dir.parent().unwrap_or(Path::new("/"))).map_err(|e| files.io(dir, e))?;
        Ok(files)
    }

    fn aside(&self) -> PathBuf {
        self.dir.join("writing.tmp")
    }

    fn io(&self, path: &Path, source: io::Error) -> SnapshotError {
        SnapshotError::Io { path: path.display().to_string(), source }
    }

    /// Writes a snapshot; it counts on return. What could not be written to its
    /// end leaves nothing that takes room.
    pub(crate) fn write(&self, applied: &Applied, rows: impl Iterator<Item = Row>) -> Result<Snapshot, SnapshotError> {
        let aside = self.aside();
        let (meta, file) = writer::write(&aside, applied, rows).inspect_err(|_| drop(std::fs::remove_file(&aside)))?;
        let source = OpenFile::new(file).map_err(|e| self.io(&aside, e))?;
        // Read back before the log in front of it may go.
        let meta_read = reader::verify("that was just written", &source)?.meta;
        debug_assert_eq!(meta, meta_read);
        self.count_in(&aside, &meta)?;
        Ok(Snapshot { meta, source: Arc::new(source) })
    }

    /// Keeps a snapshot that came from elsewhere; it counts on return, and
    /// what is returned stands in a file of ours.
    pub(crate) fn keep(&self, snapshot: &Snapshot) -> Result<(Snapshot, State), SnapshotError> {
        let path = self.received(&snapshot.meta.id);
        if !path.exists() {
            let file = File::create(&path).map_err(|e| self.io(&path, e))?;
            if let Err(error) = copy(&*snapshot.source, &file) {
                // What the disk has of it is not known, and the next attempt would take it for whole.
                strides::forget(&file, &path);
                return Err(self.io(&path, error));
            }
        }
        let source = File::open(&path).and_then(OpenFile::new).map_err(|e| self.io(&path, e))?;
        let verified = reader::verify(&path.display().to_string(), &source)?;
        let (meta, state) = (verified.meta.clone(), verified.state()?);
        self.count_in(&path, &meta)?;
        Ok((Snapshot { meta, source: Arc::new(source) }, state))
    }

    /// Where a peer's bytes go. Another transfer that was interrupted is not
    /// gone on with.
    pub(crate) fn receive(&self, meta: &SnapshotMeta, bytes: u64) -> Result<Box<dyn SnapshotSink>, SnapshotError> {
        let receiving = sink::Receiving::begin(self, meta, bytes).map_err(|e| self.io(&self.received(&meta.id), e))?;
        Ok(Box::new(receiving))
    }

    pub(super) fn receiving(&self, id: &str) -> io::Result<PathBuf> {
        let path = self.received(id);
        for other in self.with_extension("received")?.into_iter().filter(|other| *other != path) {
            std::fs::remove_file(other)?;
        }
        Ok(path)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        sync_dir(&self.dir)
    }

    /// The newest snapshot that is sound. Newer ones that are damaged are set
    /// aside.
    pub(crate) fn newest(&self) -> Result<Option<Snapshot>, SnapshotError> {
        let mut paths = self.with_extension("snapshot").map_err(|e| self.io(&self.dir, e))?;
        while let Some(path) = paths.pop() {
            match self.load(&path) {
                Ok(snapshot) => return Ok(Some(snapshot)),
                Err(error @ SnapshotError::Damaged { .. }) => {
                    tracing::error!(%error, "a damaged snapshot is set aside");
                    std::fs::rename(&path, path.with_extension("damaged")).map_err(|e| self.io(&path, e))?;
                    self.sync().map_err(|e| self.io(&self.dir, e))?;
                }
                Err(error @ (SnapshotError::Format { .. } | SnapshotError::Codec(_) | SnapshotError::Io { .. })) => {
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    fn load(&self, path: &Path) -> Result<Snapshot, SnapshotError> {
        let source = File::open(path).and_then(OpenFile::new).map_err(|e| self.io(path, e))?;
        let meta = reader::verify(&path.display().to_string(), &source)?.meta;
        Ok(Snapshot { meta, source: Arc::new(source) })
    }

    /// The state in a snapshot, after all of it has been verified.
    pub(crate) fn state(snapshot: &Snapshot) -> Result<State, SnapshotError> {
        reader::verify("being loaded", &*snapshot.source)?.state()
    }

    /// Gives a durable file the name under which it counts, and removes those
    /// that are too many.
    fn count_in(&self, from: &Path, meta: &SnapshotMeta) -> Result<(), SnapshotError> {
        let path = self.dir.join(file_name(meta));
        std::fs::rename(from, &path).map_err(|e| self.io(&path, e))?;
        failpoint::reached("snapshot_counts");
        self.sync().map_err(|e| self.io(&self.dir, e))?;
        let mut paths = self.with_extension("snapshot").map_err(|e| self.io(&self.dir, e))?;
        paths.truncate(paths.len().saturating_sub(KEPT));
        for old in paths.into_iter().filter(|old| *old != path) {
            // A leftover costs space and is removed by the next snapshot.
            if let Err(error) = std::fs::remove_file(&old) {
                tracing::warn!(path = %old.display(), %error, "cannot remove an old snapshot");
            }
        }
        Ok(())
    }

    fn received(&self, id: &str) -> PathBuf {
        // Ids come from peers: nothing of them may mean something in a path.
        let safe: String = id.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
        self.dir.join(format!("{safe}.received"))
    }

    /// Files of a kind, in the order of their names, which is that of positions.
    fn with_extension(&self, extension: &str) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == extension) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

fn file_name(meta: &SnapshotMeta) -> String {
    let (index, term) = meta.at.map_or((0, 0), |at| (at.index, at.term));
    let id: String = meta.id.chars().take(16).collect();
    format!("{index:020}-{term:020}-{id}.snapshot")
}

fn copy(source: &dyn SnapshotSource, file: &File) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let (mut at, mut strides) = (0, Strides::default());
    while at < source.len() {
        let bytes = source.read_at(at, 256 << 10)?;
        file.write_all_at(&bytes, at)?;
        strides.wrote(file, bytes.len())?;
        at += bytes.len() as u64;
    }
    file.sync_all()
}
