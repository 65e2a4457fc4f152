//! Writes the index beside the active file. It has no descriptor of its own:
//! an instance that writes now and then costs none, and one that writes much
//! writes its records by the dozen.
//!
//! Nothing here fails: an index that cannot be written is one that readers do
//! without.

use super::active::make_new;
use super::index::{HEADER, Header, Kind, RECORD, Record};
use super::names::index_of;
use process_model::spec::LogPolicy;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// A record for each so many bytes at most.
const STRIDE: u64 = 64 * 1024;

/// Or for each so much time, as [`super::index::SPAN`] promises.
const SPAN: Duration = Duration::from_secs(1);

/// Records that wait for the next write: those of 2 MiB of output.
const BATCH: usize = 32;

#[derive(Debug)]
pub(super) struct IndexWriter {
    pub(super) header: Header,
    /// Nothing of it is on the disk yet.
    is_new: bool,
    /// Of the last record: when, and where.
    last: Option<(Instant, u64)>,
    /// When the index was last written.
    flushed: Option<Instant>,
    pending: Vec<u8>,
}

impl IndexWriter {
    /// What waits to be written, for a successor of this process.
    pub(super) fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Goes on with what another has not written.
    pub(super) fn resume(&mut self, pending: Vec<u8>) {
        self.pending = pending;
    }

    /// Goes on with the index of a file of `size` bytes, or begins one: there
    /// is none, it is damaged, or it is of a longer file that was cut short.
    pub(super) fn open(path: &Path, size: u64, policy: &LogPolicy, wall: i64) -> Self {
        // A lineage is named by the time of its beginning: two of one nanosecond are of different files.
        let mut header = fresh(policy, wall);
        let mut writer = Self { header, is_new: true, last: None, flushed: None, pending: Vec::new() };
        let Ok(found) = Found::read(path) else { return writer };
        header.lineage = found.header.lineage;
        let (end, rotated) = found.newest.map_or((0, false), |r| (r.offset, matches!(r.kind, Kind::Rotated)));
        if end > size || rotated {
            header.base = found.header.base + end;
            writer.begin(header);
            return writer;
        }
        (header.base, header.created) = (found.header.base, found.header.created);
        (writer.header, writer.is_new) = (header, false);
        if found.header != header {
            writer.rewrite_header(path);
        }
        if found.torn
            && let Ok(file) = OpenOptions::new().write(true).open(index_of(path))
        {
            // Half a record, of a writer that died: those behind it would be out of step.
            let _ = file.set_len(HEADER as u64 + found.records * RECORD as u64);
        }
        writer
    }

    /// Begins anew with this header; it is written with the first record.
    pub(super) fn begin(&mut self, header: Header) {
        *self = Self { header, is_new: true, last: None, flushed: None, pending: Vec::new() };
    }

    fn create(&self, path: &Path) -> std::io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o640);
        make_new(options, &index_of(path))
    }

    /// The policy changed.
    pub(super) fn keep_by(&mut self, path: &Path, policy: &LogPolicy) {
        let new = fresh(policy, self.header.created);
        self.header = Header { lineage: self.header.lineage, base: self.header.base, ..new };
        self.rewrite_header(path);
    }

    fn rewrite_header(&self, path: &Path) {
        if self.is_new {
            return;
        }
        if let Ok(file) = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(index_of(path)) {
            let _ = file.write_all_at(&self.header.encode(), 0);
        }
    }

    /// Whether what is written now needs a record.
    pub(super) fn is_due(&self, size: u64, now: Instant) -> bool {
        self.last.is_none_or(|(at, offset)| now.duration_since(at) >= SPAN || size.saturating_sub(offset) >= STRIDE)
    }

    /// What is written at `offset` is written now.
    pub(super) fn written(&mut self, path: &Path, offset: u64, now: Instant, wall: i64) {
        self.last = Some((now, offset));
        self.push(Record { kind: Kind::Written, time: wall, offset });
        if self.pending.len() >= BATCH * RECORD || self.flushed.is_none_or(|at| now.duration_since(at) >= SPAN) {
            self.flush(path);
            self.flushed = Some(now);
        }
    }

    /// Something else happened at `offset`; written at once, unless nothing was
    /// ever written by anybody: then it comes with the first output. A program
    /// that is silent has no index.
    pub(super) fn mark(&mut self, path: &Path, kind: Kind, offset: u64, wall: i64) {
        if self.is_new && offset == 0 {
            // Of several silent runs the last one is the one to tell of.
            self.pending.clear();
            self.push(Record { kind, time: wall, offset });
            return;
        }
        self.push(Record { kind, time: wall, offset });
        self.flush(path);
    }

    fn push(&mut self, record: Record) {
        self.pending.extend_from_slice(&record.encode());
    }

    /// Writes what waits, as a whole or not at all.
    pub(super) fn flush(&mut self, path: &Path) {
        if self.pending.is_empty() {
            return;
        }
        // Given back: most instances are idle most of the time.
        let mut pending = std::mem::take(&mut self.pending);
        let open = if self.is_new {
            None
        } else {
            OpenOptions::new().append(true).custom_flags(libc::O_NOFOLLOW).open(index_of(path)).ok()
        };
        let file = match open {
            Some(file) => Ok(file),
            // New, or deleted by somebody: what is known still is written anew.
            None => {
                pending.splice(0..0, self.header.encode());
                self.create(path)
            }
        };
        let Ok(mut file) = file else { return };
        self.is_new = false;
        let before = file.metadata().map(|metadata| metadata.len());
        if !matches!(file.write(&pending), Ok(written) if written == pending.len())
            && let Ok(before) = before
        {
            let _ = file.set_len(before);
            self.is_new = before == 0;
        }
    }
}

/// What an index on the disk says; its end alone is read.
struct Found {
    header: Header,
    newest: Option<Record>,
    /// Whole records.
    records: u64,
    /// Half a record is behind them.
    torn: bool,
}

impl Found {
    fn read(path: &Path) -> std::io::Result<Self> {
        /// Records at the end, of which one will be sound.
        const LOOKED_AT: u64 = 64;
        let file =
            OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(index_of(path))?;
        let mut bytes = [0; HEADER];
        file.read_exact_at(&mut bytes, 0)?;
        let header = Header::decode(&bytes).ok_or(std::io::ErrorKind::InvalidData)?;
        let len = file.metadata()?.len().saturating_sub(HEADER as u64);
        let records = len / RECORD as u64;
        let looked_at = records.min(LOOKED_AT);
        let mut end = vec![0; usize::try_from(looked_at).unwrap_or(0) * RECORD];
        file.read_exact_at(&mut end, HEADER as u64 + (records - looked_at) * RECORD as u64)?;
        let newest = end.chunks_exact(RECORD).rev().find_map(Record::decode);
        Ok(Self { header, newest, records, torn: !len.is_multiple_of(RECORD as u64) })
    }
}

/// The header of a history's first file.
fn fresh(policy: &LogPolicy, wall: i64) -> Header {
    Header {
        lineage: wall.cast_unsigned(),
        base: 0,
        created: wall,
        retention: policy.retention.map_or(0, |time| time.as_secs().max(1)),
        quota: policy.quota.unwrap_or_default(),
        compress: policy.compress,
    }
}
