//! Files of the directory: whole or not at all, and durable.

use super::HomeError;
use registry_log::fail_point;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The text of a file: `None` when it is not there, `Some(None)` when it is no
/// text.
pub(super) fn read(path: &Path) -> Result<Option<Option<String>>, HomeError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8(bytes).ok())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HomeError::io("read", path)(error)),
    }
}

/// Whether something has this name.
pub(super) fn is_there(path: &Path) -> Result<bool, HomeError> {
    path.try_exists().map_err(HomeError::io("look at", path))
}

/// Puts a file in place, whole or not at all, durable on return. `point` names
/// its steps for tests.
pub(super) fn write_durably(path: &Path, content: &[u8], point: &str) -> Result<(), HomeError> {
    let aside = path.with_extension("tmp");
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&aside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fail_point(&format!("{point}.aside"))?;
        std::fs::rename(&aside, path)?;
        fail_point(&format!("{point}.named"))
    };
    write().map_err(HomeError::io("write", path))?;
    sync_directory_of(path)
}

/// Gives something another name, durable on return.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), HomeError> {
    std::fs::rename(from, to).map_err(HomeError::io("rename", from))?;
    sync_directory_of(to)
}

/// Removes a directory that may not be there.
pub(super) fn remove_tree(path: &Path) -> Result<(), HomeError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(HomeError::io("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes a file or a directory that may not be there.
pub(super) fn remove_any(path: &Path) -> Result<(), HomeError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => remove_tree(path),
        Ok(_) => std::fs::remove_file(path).map_err(HomeError::io("remove", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(HomeError::io("look at", path)(error)),
    }
}

/// Makes the name of a file durable.
pub(super) fn sync_directory_of(path: &Path) -> Result<(), HomeError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(HomeError::io("sync", parent))
}

/// A step, for tests that end the process there.
pub(super) fn step(name: &str, path: &Path) -> Result<(), HomeError> {
    fail_point(name).map_err(HomeError::io("write", path))
}
