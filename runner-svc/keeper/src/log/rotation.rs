//! When a file is rotated away, and how. By renaming, in the process that
//! writes: no byte is copied, none is lost, and whoever reads the old file goes
//! on reading it. The new file is made before the old one loses its name, so
//! that a disk which has no room for it leaves everything as it is.

use super::active::{self, Active};
use super::index::Kind;
use super::index_writer::IndexWriter;
use super::names::{self, Part, RotatedName, index_of, with_suffix};
use process_model::spec::LogPolicy;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// After a rotation that was not possible, the next try.
const RETRY: Duration = Duration::from_secs(1);

/// How a file is kept that has a policy.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) policy: LogPolicy,
    pub(super) index: IndexWriter,
    /// When the active file was begun.
    begun: Instant,
    /// Times of files that were rotated away, the oldest first; `None`: not
    /// looked at yet.
    rotated: Option<VecDeque<i64>>,
    retry: Option<Instant>,
    /// The last try failed, and somebody was told.
    pub(super) stuck: bool,
}

/// Why a file was not rotated away; everything is as before.
#[derive(Debug)]
pub(super) enum NotRotated {
    /// The name is another file's.
    Moved,
    Failed(io::Error),
}

impl From<io::Error> for NotRotated {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// How much of what is to be written goes to the active file, and whether it
/// is rotated away then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) len: usize,
    pub(super) rotate: bool,
}

impl Keeping {
    pub(super) fn new(path: &Path, size: u64, policy: LogPolicy, now: Instant, wall: i64) -> Self {
        let index = IndexWriter::open(path, size, &policy, wall);
        // Its age is known by the wall clock alone once its writer is gone.
        let age = Duration::from_nanos(u64::try_from(wall.saturating_sub(index.header.created)).unwrap_or(0));
        let begun = now.checked_sub(age).unwrap_or(now);
        Self { policy, index, begun, rotated: None, retry: None, stuck: false }
    }

    /// Decides for `bytes` that come after `size` others.
    pub(super) fn cut(&self, size: u64, at_line_start: bool, bytes: &[u8], now: Instant) -> Cut {
        let all = Cut { len: bytes.len(), rotate: false };
        if self.retry.is_some_and(|retry| now < retry) {
            return all;
        }
        let old = self.policy.max_age.is_some_and(|age| now.duration_since(self.begun) >= age);
        let max = self.policy.max_size;
        if size > 0 && at_line_start && (old || size >= max) {
            return Cut { len: 0, rotate: true };
        }
        let len = bytes.len() as u64;
        if !old && size.saturating_add(len) < max {
            return all;
        }
        // The first line end at which the file is long enough.
        let enough = if old { 0 } else { usize::try_from(max.saturating_sub(size + 1)).unwrap_or(usize::MAX) };
        let end = bytes.get(enough..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n'));
        if let Some(end) = end {
            return Cut { len: enough + end + 1, rotate: true };
        }
        // A line without end is cut, or the disk is full of it.
        let too_long = max.saturating_mul(2);
        if size.saturating_add(len) >= too_long {
            return Cut { len: usize::try_from(too_long.saturating_sub(size)).unwrap_or(0), rotate: true };
        }
        all
    }

    /// Rotates `active` away; returns the new file and the name of the old one.
    pub(super) fn rotate(
        &mut self,
        path: &Path,
        active: &Active,
        now: Instant,
        wall: i64,
    ) -> Result<(Active, PathBuf), NotRotated> {
        self.retry = Some(now + RETRY);
        if !fs::symlink_metadata(path).is_ok_and(|metadata| active::id(&metadata) == active.id) {
            return Err(NotRotated::Moved);
        }
        let size = active.len();
        let aside = with_suffix(path, ".new");
        let new = Active::make(&aside)?;
        let mut at = wall.div_euclid(1000);
        let newest = self.rotated(path).back().copied();
        at = newest.map_or(at, |newest| at.max(newest + 1));
        let old = match rename_away(path, at) {
            Ok(old) => old,
            Err(e) => {
                let _ = fs::remove_file(&aside);
                return Err(e.into());
            }
        };
        self.index.mark(path, Kind::Rotated, size, wall);
        let _ = fs::rename(index_of(path), index_of(&old));
        fs::rename(&aside, path)?;
        let mut header = self.index.header;
        header.base += size;
        header.created = wall;
        self.index.begin(header);
        (self.begun, self.retry) = (now, None);
        self.rotated(path).push_back(at);
        self.prune(path);
        Ok((new, old))
    }

    /// Deletes the oldest files that are too many.
    pub(super) fn prune(&mut self, path: &Path) {
        let most = usize::try_from(self.policy.max_files).unwrap_or(usize::MAX);
        while self.rotated(path).len() > most
            && let Some(at) = self.rotated(path).pop_front()
        {
            let plain = names::rotated(path, at);
            for part in Part::ALL {
                // Compressed or not, or deleted by a quota: whatever there is.
                let _ = fs::remove_file(with_suffix(&plain, part.suffix()));
            }
        }
    }

    /// Looks at the folder once; from then on it is known what there is, but
    /// for the oldest ones that a quota has deleted.
    fn rotated(&mut self, path: &Path) -> &mut VecDeque<i64> {
        self.rotated.get_or_insert_with(|| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let folder = path.parent().map(fs::read_dir).into_iter().flatten().flatten().flatten();
            let times = folder.filter_map(|entry| {
                let entry = entry.file_name();
                let rotated = RotatedName::parse(entry.to_str()?)?;
                (rotated.active == name).then_some(rotated.at)
            });
            let mut times: Vec<i64> = times.collect();
            times.sort_unstable();
            times.dedup();
            times.into()
        })
    }
}

/// Gives the file its name for ever; nobody else's is taken.
fn rename_away(path: &Path, at: i64) -> io::Result<PathBuf> {
    let old = names::rotated(path, at);
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(rustix::fs::CWD, path, rustix::fs::CWD, &old, flags) {
        Ok(()) => Ok(old),
        // A file system that does not know the flag.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !old.exists() => {
            fs::rename(path, &old)?;
            Ok(old)
        }
        Err(e) => Err(e.into()),
    }
}
