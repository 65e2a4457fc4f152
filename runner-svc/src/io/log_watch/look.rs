//! One look at a watched file, and making one that is missing.

use crate::io::users;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use process_model::spec::Execution;
use runner_domain::silence::Look;
use runner_keeper::protocol::Identity;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) path: PathBuf,
    pub(crate) maker: Maker,
}

/// Who makes a file that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Maker {
    /// The keeper: it writes to the file. One that we made would stay empty
    /// while it writes to the one it has.
    Keeper,
    /// The watch, as this user of the spec: the program is to write to it.
    Watch {
        /// Its name or number.
        user: Option<String>,
        /// Its groups, when the spec names them.
        execution: Option<Box<Execution>>,
    },
}

/// What a file looks like that nobody has: when one appears, or goes, that is
/// a change; as long as there is none, nothing is written to it.
pub(super) const MISSING: Look = Look { file: (0, 0), len: 0, modified: 0 };

/// Looks at the files, on a thread that may block: they may be anywhere.
pub(super) async fn at(files: &[Watched]) -> Vec<Option<Look>> {
    let (count, files) = (files.len(), files.to_vec());
    let looks = tokio::task::spawn_blocking(move || files.iter().map(Watched::look).collect()).await;
    looks.unwrap_or_else(|_| vec![None; count])
}

impl Watched {
    /// Looks at the file; makes it and its folders when that is ours to do.
    pub(super) fn look(&self) -> Option<Look> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == io::ErrorKind::NotFound => match &self.maker {
                Maker::Keeper => return Some(MISSING),
                Maker::Watch { user, execution } => match make(&self.path, user.as_deref(), execution.as_deref()) {
                    Ok(metadata) => metadata,
                    // The program's user may not make it either: it is not going to be written.
                    Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Some(MISSING),
                    Err(_) => return None,
                },
            },
            Err(_) => return None,
        };
        Some(Look {
            file: (metadata.dev(), metadata.ino()),
            len: metadata.len(),
            modified: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
        })
    }
}

/// Makes a file and its folders with the rights of the program's user: it has
/// to be able to write there, and a path that it can change must not lead us
/// where it may not go.
fn make(path: &Path, user: Option<&str>, execution: Option<&Execution>) -> io::Result<Metadata> {
    let account = users::account(user, execution).map_err(|e| io::Error::other(e.to_string()))?;
    let _guise = account.identity.map(|identity| Guise::take(&identity)).transpose()?;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::OpenOptions::new().append(true).create_new(true).open(path)?.metadata()
}

/// This thread's identity at the file system (setfsuid(2)), until dropped.
struct Guise {
    user: Uid,
    group: Gid,
}

impl Guise {
    fn take(identity: &Identity) -> io::Result<Self> {
        let (user, group) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        // The group first: as the user we may not change it.
        let before_group = setfsgid(group);
        let guise = Self { user: setfsuid(user), group: before_group };
        // Neither call tells of a failure; setting the same again tells what is set.
        if (setfsuid(user), setfsgid(group)) == (user, group) {
            Ok(guise)
        } else {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "cannot act as the program's user"))
        }
    }
}

impl Drop for Guise {
    fn drop(&mut self) {
        setfsuid(self.user);
        setfsgid(self.group);
    }
}
