//! Folders of a run, beside the build. What earlier runs left that were killed
//! is removed first.

use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use system_tests::{binary, proc};
use tempfile::TempDir;

const PREFIX: &str = "bench-";
/// `TMPFS_MAGIC` of statfs(2): memory, where every fsync succeeds at once.
const TMPFS: i64 = 0x0102_1994;

/// Removed when it is dropped.
pub(crate) struct Place(TempDir);

impl Place {
    /// An empty folder.
    pub(crate) fn make() -> Result<Self> {
        let parent = binary::scratch().context("cannot make the folder for the measures")?;
        sweep(&parent)?;
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent).context("cannot make a folder")?;
        Ok(Self(folder))
    }

    /// An error unless it is on a disk.
    pub(crate) fn is_on_a_disk(&self) -> Result<()> {
        let system = rustix::fs::statfs(self.path()).context("cannot ask for the file system")?;
        let at = self.path().display();
        ensure!(system.f_type as i64 != TMPFS, "{at} is in memory; build into a folder on a disk (CARGO_TARGET_DIR)");
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Removes folders whose process is no more.
fn sweep(parent: &Path) -> Result<()> {
    for entry in std::fs::read_dir(parent).context("cannot read the folder for the measures")? {
        let path = entry?.path();
        if owner(&path).is_some_and(|pid| !proc::is_running(pid)) {
            std::fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// The process in a folder's name.
fn owner(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_processes_that_are_no_more_are_swept() {
        let parent = tempfile::tempdir().unwrap();
        let of = |name: &str| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        // Above the kernel's largest process id (PID_MAX_LIMIT).
        let (dead, alive) = (of("bench-4194305-a"), of(&format!("bench-{}-b", std::process::id())));
        let (other, odd) = (of("t123"), of("bench-x"));
        sweep(parent.path()).unwrap();
        assert!(!dead.exists() && alive.exists() && other.exists() && odd.exists());
    }
}
