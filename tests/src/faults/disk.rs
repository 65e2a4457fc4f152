//! A small disk of its own for one replica: ext4 in a file, mounted through a
//! loop device. It can be full, and its power can be cut.

use super::tool;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What ext4 gives room by, at least.
const BLOCK: u64 = 1_024;

/// A mounted disk; gone when it is dropped. What runs on it has to have ended
/// before, so it is made before the replicas that use it.
pub struct Disk {
    image: PathBuf,
    mounted: PathBuf,
}

impl Disk {
    /// A new one of this size, in a folder on a real disk.
    ///
    /// # Panics
    /// When this machine has no loop devices or no ext4, with the reason.
    #[must_use]
    pub fn new(folder: &Path, name: &str, bytes: u64) -> Self {
        let image = folder.join(format!("{name}.image"));
        File::create(&image).unwrap().set_len(bytes).unwrap();
        let _ = tool::run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        Self::mount(image, folder.join(name))
    }

    fn mount(image: PathBuf, mounted: PathBuf) -> Self {
        std::fs::create_dir(&mounted).unwrap();
        let _ = tool::run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mounted));
        Self { image, mounted }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// The disk as it would be after a power cut at this moment: what its file
    /// system has not yet given to the device is lost. Nobody may write
    /// meanwhile, so whoever does has to be stopped (SIGSTOP).
    #[must_use]
    pub fn after_power_cut(&self, name: &str) -> Self {
        let folder = self.mounted.parent().expect("it is mounted in a folder");
        let image = folder.join(format!("{name}.image"));
        std::fs::copy(&self.image, &image).unwrap();
        Self::mount(image, folder.join(name))
    }

    /// What the device holds at this moment. Nobody may write meanwhile, so
    /// whoever does has to be stopped (SIGSTOP).
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn image(&self, name: &str) -> Image {
        let image = self.mounted.parent().expect("it is mounted in a folder").join(format!("{name}.image"));
        std::fs::copy(&self.image, &image).unwrap();
        Image(image)
    }

    /// The power was off: from now on it holds what was in the image. Who used
    /// it has to have ended.
    ///
    /// # Panics
    /// When somebody still uses it.
    pub fn put(&mut self, image: Image) {
        let _ = tool::run(Command::new("umount").arg(&self.mounted));
        std::fs::rename(&image.0, &self.image).unwrap();
        let _ = tool::run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.mounted));
    }

    /// Takes all room but `left` bytes, whoever else takes some meanwhile.
    #[must_use]
    pub fn fill(&self, left: u64) -> Ballast {
        use rustix::fs::{FallocateFlags, fallocate};
        let path = self.mounted.join("ballast");
        let file = File::create(&path).unwrap();
        let mut taken = 0;
        // Less and less at a time: what one step cannot have, smaller ones may.
        let mut step = self.free();
        while step >= BLOCK {
            let wanted = self.free().saturating_sub(left).min(step);
            if wanted >= BLOCK && fallocate(&file, FallocateFlags::empty(), taken, wanted).is_ok() {
                taken += wanted;
            } else {
                step /= 2;
            }
        }
        Ballast(path)
    }

    /// Bytes that are left.
    #[must_use]
    pub fn free(&self) -> u64 {
        let found = rustix::fs::statvfs(&self.mounted).unwrap();
        found.f_bavail * found.f_frsize
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is still there must not keep it for ever.
        let _ = tool::tried(Command::new("umount").arg("-l").arg(&self.mounted));
    }
}

/// What a device held at some moment.
pub struct Image(PathBuf);

/// What fills a disk; gives the room back when it is dropped.
pub struct Ballast(PathBuf);

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sandbox;
    use std::io::{ErrorKind, Write as _};

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_full_disk_takes_nothing_more_until_there_is_room_again() {
        let sandbox = Sandbox::new();
        let disk = Disk::new(sandbox.path(), "small", 16 * MIB);
        let write = |name: &str| std::fs::write(disk.path().join(name), vec![7; 64 << 10]);
        write("before").unwrap();
        let ballast = disk.fill(0);
        assert_eq!(write("full").unwrap_err().kind(), ErrorKind::StorageFull);
        drop(ballast);
        write("after").unwrap();
    }

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_loses_what_was_not() {
        let sandbox = Sandbox::new();
        let disk = Disk::new(sandbox.path(), "before", 32 * MIB);
        let bytes = vec![7; MIB as usize];
        let mut synced = File::create(disk.path().join("synced")).unwrap();
        synced.write_all(&bytes).unwrap();
        synced.sync_all().unwrap();
        File::open(disk.path()).unwrap().sync_all().unwrap();
        std::fs::write(disk.path().join("unsynced"), &bytes).unwrap();

        let after = disk.after_power_cut("after");
        assert!(std::fs::read(after.path().join("synced")).unwrap() == bytes);
        assert!(!std::fs::read(after.path().join("unsynced")).is_ok_and(|found| found == bytes), "nothing was lost");
        assert!(std::fs::read(disk.path().join("unsynced")).unwrap() == bytes);
    }

    #[test]
    fn a_disk_is_gone_when_it_is_dropped() {
        let sandbox = Sandbox::new();
        let disk = Disk::new(sandbox.path(), "gone", 16 * MIB);
        let mounted = disk.path().to_str().unwrap().to_owned();
        let is_mounted = || std::fs::read_to_string("/proc/mounts").unwrap().contains(&mounted);
        assert!(is_mounted());
        drop(disk);
        assert!(!is_mounted());
    }
}
