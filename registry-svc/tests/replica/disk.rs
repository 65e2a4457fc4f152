//! A small disk of its own: ext4 in a file, mounted through a loop device.
//! That needs root; a machine that cannot do it fails the test and says so.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

pub struct Disk {
    pub path: PathBuf,
    image: PathBuf,
    _home: TempDir,
}

impl Disk {
    pub fn new(bytes: u64) -> Self {
        let home = crate::place::real_disk();
        let image = home.path().join("image");
        File::create(&image).unwrap().set_len(bytes).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        Self::mount(home, image)
    }

    fn mount(home: TempDir, image: PathBuf) -> Self {
        let path = home.path().join("mounted");
        std::fs::create_dir(&path).unwrap();
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&path));
        Self { path, image, _home: home }
    }

    /// The disk as it would be after the power went off now: what its file
    /// system has not yet given to the device is lost. Nobody may write
    /// meanwhile.
    pub fn after_power_cut(&self) -> Self {
        let home = crate::place::real_disk();
        let image = home.path().join("image");
        std::fs::copy(&self.image, &image).unwrap();
        Self::mount(home, image)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed; this test needs root, mkfs.ext4 and loop devices: {said}");
}
