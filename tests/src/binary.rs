//! Where the built programs are: beside the program that runs now.

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

/// The root of the workspace.
#[must_use]
pub fn workspace_root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize().expect("the workspace is there")
}
