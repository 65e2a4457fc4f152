//! Groups of version 2 whose runs are over, for the next ones: to make a group
//! takes longer than to start a program in it. Only such without limits: a
//! group's counters begin with it.

use super::find::{Cgroups, Version};
use super::group::Group;
use rustix::fs::{Mode, OFlags};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Groups that are kept at most: those of programs that are started again and
/// again at the same time.
const MOST: usize = 16;

/// Empty groups.
#[derive(Debug, Default)]
pub(super) struct Spare(Vec<PathBuf>);

impl Spare {
    /// One of them, open; `None` when there is none.
    pub(super) fn take(&mut self) -> Option<(OwnedFd, PathBuf)> {
        let dir = self.0.pop()?;
        // Somebody else may have removed it: then one is made, as if there were no others.
        Some((open(&dir).ok()?, dir))
    }

    fn clear(&mut self) {
        for dir in self.0.drain(..) {
            let _ = fs::remove_dir(dir);
        }
    }
}

/// Opens the directory of a group.
pub(super) fn open(dir: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

impl Cgroups {
    /// Takes back the group of a run that is over.
    pub(crate) fn take_back(&mut self, mut group: Group) {
        if self.spare.0.len() >= MOST || group.limited.is_some() || !group.beside.is_empty() {
            return;
        }
        // A group within it is of a task that goes on, or was lost: two links are its own (`.`, and its name).
        let is_vacant = |dir: &Path| fs::metadata(dir).is_ok_and(|dir| dir.nlink() == 2);
        if group.is_empty() && matches!(&group.tree, Some((Version::V2, dir)) if is_vacant(dir)) {
            self.spare.0.extend(group.tree.take().map(|(_, dir)| dir));
        }
    }

    /// Removes what was kept for later.
    pub(crate) fn remove_spare(&mut self) {
        self.spare.clear();
    }
}
