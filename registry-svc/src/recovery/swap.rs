//! The new directory takes the place of the old one. Each step is a rename; the
//! identity goes first and comes last, so that a directory in between is one
//! that no registry starts on.

use super::RecoveryError;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What a registry has in its directory.
const NAMES: [&str; 7] = ["identity", "turned-away", "founders", "founding", "log", "state", "snapshots"];

fn aside(home: &Path) -> PathBuf {
    home.join("recovering")
}

fn renewal(home: &Path) -> PathBuf {
    aside(home).join("new")
}

/// Holds the old epoch's number once the new directory is complete.
fn ready(home: &Path) -> PathBuf {
    aside(home).join("ready")
}

fn is_there(path: &Path) -> Result<bool, RecoveryError> {
    path.try_exists().map_err(RecoveryError::io("look at", path))
}

fn sync(path: &Path) -> Result<(), RecoveryError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(RecoveryError::io("sync", path))
}

fn made(path: PathBuf) -> Result<PathBuf, RecoveryError> {
    fs::create_dir_all(&path).map_err(RecoveryError::io("make", &path))?;
    Ok(path)
}

/// Removes what an earlier try left.
pub(super) fn clear(home: &Path) -> Result<(), RecoveryError> {
    match fs::remove_dir_all(aside(home)) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(RecoveryError::io("remove", aside(home))(error)),
    }
}

/// Where the copy goes.
pub(super) fn fresh_work(home: &Path) -> Result<PathBuf, RecoveryError> {
    clear(home)?;
    made(aside(home).join("work"))
}

/// There once the old directory has moved.
fn moved(home: &Path) -> PathBuf {
    aside(home).join("moved")
}

/// Where the new directory is made.
pub(super) fn fresh_renewal(home: &Path) -> Result<PathBuf, RecoveryError> {
    made(renewal(home))
}

/// Whether a new directory is complete and only has to be put in place.
pub(super) fn is_ready(home: &Path) -> Result<bool, RecoveryError> {
    is_there(&ready(home))
}

/// The new directory is complete: from now on it counts.
pub(super) fn make_ready(home: &Path, old_epoch: u64) -> Result<(), RecoveryError> {
    sync(&renewal(home))?;
    let path = ready(home);
    let begun = aside(home).join("ready.tmp");
    fs::write(&begun, format!("{old_epoch}\n")).map_err(RecoveryError::io("write", &begun))?;
    sync(&begun)?;
    fs::rename(&begun, &path).map_err(RecoveryError::io("write", &path))?;
    sync(&aside(home))
}

/// Puts the new directory in place of the old one, which is kept beside it.
pub(super) fn finish(home: &Path) -> Result<(), RecoveryError> {
    let path = ready(home);
    let epoch = fs::read_to_string(&path).map_err(RecoveryError::io("read", &path))?;
    let before = made(home.join(format!("before-epoch-{}", epoch.trim().parse::<u64>().unwrap_or(0) + 1)))?;
    if !is_there(&moved(home))? {
        for name in NAMES {
            let (old, kept) = (home.join(name), before.join(name));
            if is_there(&old)? {
                fs::rename(&old, &kept).map_err(RecoveryError::io("move", &old))?;
            }
        }
        sync(&before)?;
        sync(home)?;
        File::create(moved(home)).map_err(RecoveryError::io("write", moved(home)))?;
        sync(&aside(home))?;
    }
    for name in NAMES.into_iter().rev() {
        let (new, place) = (renewal(home).join(name), home.join(name));
        if is_there(&new)? {
            fs::rename(&new, &place).map_err(RecoveryError::io("move", &new))?;
            sync(home)?;
        }
    }
    clear(home)?;
    sync(home)
}
