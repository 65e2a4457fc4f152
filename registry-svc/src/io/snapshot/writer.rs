//! Rows → a file: the body first, then the head over it, then everything made
//! durable.

use super::SnapshotError;
use super::head::{FIXED, Head};
use super::strides::Strides;
use crate::codec;
use crate::io::failpoint;
use registry_consensus::{Applied, SnapshotMeta};
use registry_domain::Row;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Cursor, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Bytes on their way to the file.
const BUFFER: usize = 256 << 10;

/// Writes a snapshot to a file that nobody looks at yet; durable on return.
pub(super) fn write(
    path: &Path,
    applied: &Applied,
    rows: impl Iterator<Item = Row>,
) -> Result<(SnapshotMeta, File), SnapshotError> {
    let io = |source| SnapshotError::Io { path: path.display().to_string(), source };
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(true).read(true).write(true).mode(0o600).open(path).map_err(io)?;
    let mut body = BufWriter::with_capacity(BUFFER, Striding { file: &file, strides: Strides::default() });
    let (meta, first) = write_body(&mut body, applied, rows, io)?;
    body.flush().map_err(io)?;
    drop(body);
    file.write_all_at(&first, 0).map_err(io)?;
    failpoint::reached("snapshot_written");
    file.sync_all().map_err(io)?;
    Ok((meta, file))
}

/// A file, synced on the way.
struct Striding<'a> {
    file: &'a File,
    strides: Strides,
}

impl Write for Striding<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.strides.wrote(self.file, written)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Striding<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Writes a snapshot to memory: the same bytes as in a file.
pub(super) fn in_memory(
    applied: &Applied,
    rows: impl Iterator<Item = Row>,
) -> Result<(SnapshotMeta, Vec<u8>), SnapshotError> {
    let io = |source| SnapshotError::Io { path: "in memory".to_owned(), source };
    let mut bytes = Cursor::new(Vec::new());
    let (meta, first) = write_body(&mut bytes, applied, rows, io)?;
    let mut bytes = bytes.into_inner();
    // An empty body has not moved its end yet.
    bytes.resize(bytes.len().max(first.len()), 0);
    bytes[..first.len()].copy_from_slice(&first);
    Ok((meta, bytes))
}

/// Leaves room for the head, writes the body, and returns the head.
fn write_body(
    body: &mut (impl Write + Seek),
    applied: &Applied,
    rows: impl Iterator<Item = Row>,
    io: impl Fn(io::Error) -> SnapshotError + Copy,
) -> Result<(SnapshotMeta, Vec<u8>), SnapshotError> {
    let mut head = Head { applied: applied.clone(), body_bytes: 0, rows: 0, sha256: [0; 32] };
    // Its length does not depend on what is not known yet.
    let head_bytes = head.encode()?.len();
    debug_assert!(head_bytes > FIXED);
    body.seek(SeekFrom::Start(head_bytes as u64)).map_err(io)?;
    let mut hasher = Sha256::new();
    for row in rows {
        let bytes = codec::encode("a row", &row)?;
        let length = u32::try_from(bytes.len()).map_err(|_| super::head::damaged("being written", "a row"))?;
        for part in [&length.to_be_bytes()[..], &bytes] {
            hasher.update(part);
            body.write_all(part).map_err(io)?;
            head.body_bytes += part.len() as u64;
        }
        head.rows += 1;
    }
    head.sha256 = hasher.finalize().into();
    let first = head.encode()?;
    Ok((head.meta(&first), first))
}
