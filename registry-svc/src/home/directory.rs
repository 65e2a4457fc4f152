//! The directory, locked: where things are, and what they make it.

use super::founding_file::FoundingFile;
use super::identity::Mark;
use super::{Found, HomeError, Identity, files};
use registry_log::OpenError;
use registry_quorum::founding::FoundingPlan;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What was here before the cluster turned the directory away.
const SET_ASIDE: &str = "set-aside";

/// The directory of a replica, as long as this process has it.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    lock: File,
    /// Held while it is founded: a peer's plan may come while this replica
    /// writes down its own, and only one of them may stand.
    founding: Mutex<()>,
}

impl Home {
    /// Makes the directory when it is missing, and locks it.
    ///
    /// # Errors
    /// [`HomeError::InUse`], or what the system said.
    pub fn lock(path: &Path) -> Result<Self, HomeError> {
        // Readable for its owner only: specs may hold what the environment of
        // a program holds.
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(HomeError::io("make", path))?;
        let path = path.canonicalize().map_err(HomeError::io("look at", path))?;
        let file = path.join("lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(&file).map_err(HomeError::io("open", &file))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, lock, founding: Mutex::default() }),
            Err(TryLockError::WouldBlock) => Err(HomeError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(HomeError::io("lock", &file)(source)),
        }
    }

    /// Lets another registry have it, as dropping does.
    pub fn unlock(&self) {
        // Closing the file would do it too, though only once every process
        // that is just being started has closed its copy. A failure changes
        // nothing.
        let _ = self.lock.unlock();
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Directory of the log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Directory of the rows.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Directory of the snapshots.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    pub(super) fn identity(&self) -> PathBuf {
        self.path.join("identity")
    }

    /// The log of the version before.
    pub(super) fn old_log(&self) -> PathBuf {
        self.path.join("log.redb")
    }

    pub(super) fn founding(&self) -> PathBuf {
        self.path.join("founding")
    }

    /// One step of founding at a time.
    pub(super) fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        self.founding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the directory is. Changes nothing.
    ///
    /// # Errors
    /// It is none that can be gone on with, see the table of this module.
    pub fn look(&self) -> Result<Found, HomeError> {
        match Identity::read(&self.identity())? {
            Mark::Current(identity) if files::is_there(&self.log())? => {
                self.must_be_welcome()?;
                Ok(Found::Founded(identity))
            }
            Mark::Current(Identity { replica, .. }) => Err(HomeError::LogMissing { log: self.log(), replica }),
            Mark::First => Err(HomeError::OldFormat(self.path.clone())),
            Mark::Missing => {
                self.must_be_unused()?;
                let plan = FoundingFile::read(&self.founding())?.and_then(|file| file.plan);
                Ok(plan.map_or(Found::Fresh, Found::Planned))
            }
        }
    }

    fn must_be_welcome(&self) -> Result<(), HomeError> {
        match files::read(&self.turned_away())? {
            Some(Some(why)) => Err(HomeError::TurnedAway { path: self.path.clone(), why: why.trim_end().to_owned() }),
            // No text: somebody else's file.
            Some(None) | None => Ok(()),
        }
    }

    /// Writes down that the cluster turned this directory away, and why: started again, it would count as a later
    /// start, and might be taken for one that belongs there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn turn_away(&self, why: &str) -> Result<(), HomeError> {
        files::write_durably(&self.turned_away(), format!("{why}\n").as_bytes(), "home.turned-away")
    }

    /// When the cluster turned this directory away for good, and why; `None`: it did not.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn was_turned_away(&self) -> Result<Option<(SystemTime, String)>, HomeError> {
        let path = self.turned_away();
        let Some(Some(why)) = files::read(&path)? else { return Ok(None) };
        let when =
            std::fs::metadata(&path).and_then(|file| file.modified()).map_err(HomeError::io("look at", &path))?;
        Ok(Some((when, why.trim_end().to_owned())))
    }

    /// Puts everything in the directory aside, so that a fresh replica can begin in it: into a folder within, in the
    /// place of what was there from another time. What is put aside last says that it is to be done, so being cut off
    /// anywhere is doing it again. Returns the folder.
    ///
    /// # Errors
    /// Something cannot be moved.
    pub fn set_aside(&self) -> Result<PathBuf, HomeError> {
        let (aside, last) = (self.path.join(SET_ASIDE), self.turned_away());
        DirBuilder::new().recursive(true).mode(0o700).create(&aside).map_err(HomeError::io("make", &aside))?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(HomeError::io("look at", &self.path))? {
            let entry = entry.map_err(HomeError::io("look at", &self.path))?;
            // What a file system keeps for itself stays where it is.
            if ![SET_ASIDE, "lock", "lost+found"].iter().any(|stays| entry.file_name() == *stays) {
                found.push(entry.path());
            }
        }
        found.sort_by_key(|path| *path == last);
        for from in found {
            let to = aside.join(from.file_name().unwrap_or_default());
            files::remove_any(&to)?;
            files::rename(&from, &to)?;
        }
        files::sync_directory_of(&last)?;
        Ok(aside)
    }

    fn turned_away(&self) -> PathBuf {
        self.path.join("turned-away")
    }

    /// Without a mark there may be at most a log that was never opened: a
    /// founding was cut off then.
    fn must_be_unused(&self) -> Result<(), HomeError> {
        let missing = |found| Err(HomeError::IdentityMissing { mark: self.identity(), found });
        for used in [self.old_log(), self.state(), self.snapshots()] {
            if files::is_there(&used)? {
                return missing(used);
            }
        }
        if !files::is_there(&self.log())? {
            return Ok(());
        }
        match registry_log::verify(&self.log()) {
            Ok(survey) if survey.boot == 0 && survey.records == 0 => Ok(()),
            Err(source @ (OpenError::Io { .. } | OpenError::InUse(_))) => {
                Err(HomeError::Log { path: self.log(), source })
            }
            // Used or damaged: whoever made it had a mark.
            Ok(_) | Err(_) => missing(self.log()),
        }
    }

    /// Clears away what a founding no longer needs.
    pub(super) fn tidy(&self) -> Result<(), HomeError> {
        files::remove_tree(&self.path.join("log.gone"))?;
        if files::is_there(&self.founding())? {
            files::rename(&self.founding(), &self.founders_file())?;
        }
        files::sync_directory_of(&self.founding())
    }

    fn founders_file(&self) -> PathBuf {
        self.path.join("founders")
    }

    /// With whom this replica was founded, if it was: whoever of them is the
    /// first writes the first entry of the log, and where they were then is
    /// where they are looked for first.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn founders(&self) -> Result<Option<FoundingPlan>, HomeError> {
        // Being founded may have been cut off before the file got its name.
        let file = FoundingFile::read(&self.founders_file())?.or(FoundingFile::read(&self.founding())?);
        Ok(file.and_then(|file| file.plan))
    }

    pub(super) fn foreign(&self, found: &Identity, wanted: &Identity) -> HomeError {
        let (found, wanted, replica) = (found.to_string(), wanted.to_string(), wanted.replica);
        HomeError::Foreign { file: self.identity(), found, wanted, replica }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.unlock();
    }
}
