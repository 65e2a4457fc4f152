//! Paths of a file, made absolute. Text only: nothing is looked up, and `..`
//! stays, because what it means depends on links.

use super::scalar::Wrong;
use std::path::{Path, PathBuf};

/// `path` if it is absolute, else `base_dir` with it.
pub(super) fn absolute(base_dir: &Path, path: &str) -> Result<String, Wrong> {
    if path.is_empty() {
        return Err(Wrong::new("it is empty", "write a path, or leave the field out"));
    }
    if path.starts_with('~') {
        // Whose home it would be depends on who runs it, which is decided later and elsewhere.
        return Err(Wrong::new(
            "~ is not expanded",
            "write the whole path, as /home/NAME/…, or ./~… for a file of that name",
        ));
    }
    if path.starts_with('/') {
        return Ok(path.to_owned());
    }
    let joined: PathBuf = base_dir.join(path).components().collect();
    match joined.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Wrong::new("the folder of this file has a name that is no UTF-8", "write an absolute path")),
    }
}
