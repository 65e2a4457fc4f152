//! Where the built programs are: beside the program that runs now.

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use std::path::PathBuf;

/// The folder of the profile that this program was built in. A test program
/// is in its `deps/`, a plain binary in the folder itself.
#[must_use]
pub fn profile_dir() -> PathBuf {
    let this = std::env::current_exe().expect("the system knows where this program is");
    let folder = this.parent().expect("a program is in a folder");
    let is_test = folder.file_name().is_some_and(|name| name == "deps");
    if is_test { folder.parent().expect("deps is in a folder").to_path_buf() } else { folder.to_path_buf() }
}

/// A built program of this workspace.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    let path = profile_dir().join(name);
    assert!(
        path.exists(),
        "{} is missing: `cargo build --workspace --bins` comes before the system tests",
        path.display()
    );
    path
}

/// The target directory, on the disk that the workspace is on.
#[must_use]
pub fn target_dir() -> PathBuf {
    profile_dir().parent().expect("a profile is in the target directory").to_path_buf()
}

/// The folder in it for what tests and measures write, on the same disk. Made
/// when it is not there.
///
/// Each folder in it is asked to get room of its own on the disk (ext4's
/// `T` attribute, see chattr(1)): where thousands of files were removed within
/// the last minutes, ext4 takes 0.3 ms to make another one, instead of 0.01.
///
/// # Errors
/// When the disk refuses the folder; a file system that has no such attribute
/// is as good.
pub fn scratch() -> std::io::Result<PathBuf> {
    let scratch = target_dir().join("tmp");
    std::fs::create_dir_all(&scratch)?;
    let folder = std::fs::File::open(&scratch)?;
    if let Ok(flags) = ioctl_getflags(&folder)
        && !flags.contains(IFlags::TOPDIR)
    {
        ioctl_setflags(&folder, flags | IFlags::TOPDIR).ok();
    }
    Ok(scratch)
}

/// The root of the workspace.
#[must_use]
pub fn workspace_root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize().expect("the workspace is there")
}
