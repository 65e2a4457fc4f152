//! The folder where `pmctl up` keeps everything: `$XDG_STATE_HOME/pm`, or
//! `~/.local/state/pm` (XDG Base Directory Specification 0.8).

use crate::error::Failure;
use service_host::secret::Secret;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Paths below the state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
    /// Of the services of this machine, not of `pmctl up`.
    system_token: PathBuf,
}

/// Where the packages put the administrator's token of their services.
const SYSTEM_TOKEN: &str = "/etc/pm/admin.token";

/// Held as long as this process owns the state. The kernel drops it with the
/// process, however that ends.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "holding it open is its use")] File);

/// Who holds the lock.
#[derive(Debug)]
pub enum LockError {
    /// Another process; its PID as far as it wrote it.
    Held(Option<u32>),
    /// The file cannot be used.
    Io(PathBuf, io::Error),
}

/// Definitions of types that a user adds: `$XDG_CONFIG_HOME/pm/types.d`, or
/// `~/.config/pm/types.d`; `None` when neither variable says where.
#[must_use]
pub fn types_dir() -> Option<PathBuf> {
    config_dir().map(|config| config.join("types.d"))
}

/// Programs that serve types, beside [`types_dir`].
#[must_use]
pub fn plugins_dir() -> Option<PathBuf> {
    config_dir().map(|config| config.join("plugins.d"))
}

fn config_dir() -> Option<PathBuf> {
    let config = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    config.map(|config| config.join("pm"))
}

/// A variable that holds an absolute path; others are ignored, as the standard
/// says.
fn absolute(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

impl StateDir {
    /// The folder that flag or environment name, or the standard's.
    ///
    /// # Errors
    /// Neither a flag nor `XDG_STATE_HOME` nor `HOME` says where.
    pub fn resolve(flag: Option<&Path>) -> Result<Self, Failure> {
        let root = match flag {
            Some(path) => {
                std::path::absolute(path).map_err(|e| Failure::usage(format!("--state-dir {}: {e}", path.display())))?
            }
            None => match (absolute("XDG_STATE_HOME"), absolute("HOME")) {
                (Some(state), _) => state.join("pm"),
                (None, Some(home)) => home.join(".local/state/pm"),
                (None, None) => {
                    return Err(Failure::usage("there is no place for state: HOME is not set")
                        .help("set HOME or XDG_STATE_HOME, or pass --state-dir DIR"));
                }
            },
        };
        Ok(Self { root, system_token: SYSTEM_TOKEN.into() })
    }

    /// A state folder at this place.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { system_token: root.join("system-token"), root }
    }

    /// The administrator's token of the services of this machine, as their packages made it.
    #[must_use]
    pub fn system_token(&self) -> &Path {
        &self.system_token
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The registry's store.
    #[must_use]
    pub fn registry(&self) -> PathBuf {
        self.root.join("registry")
    }

    /// The runner's assignments and its keeper's socket.
    #[must_use]
    pub fn runner(&self) -> PathBuf {
        self.root.join("runner")
    }

    /// What instances wrote.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The administrator's token.
    #[must_use]
    pub fn token(&self) -> PathBuf {
        self.root.join("token")
    }

    /// The token that may only look.
    #[must_use]
    pub fn viewer_token(&self) -> PathBuf {
        self.root.join("token.viewer")
    }

    /// Where the running `pmctl up` is found.
    #[must_use]
    pub fn up_record(&self) -> PathBuf {
        self.root.join("up.json")
    }

    /// The log of a detached `pmctl up`.
    #[must_use]
    pub fn up_log(&self) -> PathBuf {
        self.root.join("up.log")
    }

    /// The node's name, kept so that a new host name does not make a new node.
    #[must_use]
    pub fn node(&self) -> PathBuf {
        self.root.join("node")
    }

    /// Makes the folder and everything above it; private to its owner.
    ///
    /// # Errors
    /// It cannot be made or is no folder.
    pub fn create(&self) -> Result<(), Failure> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.root).map_err(|e| {
            Failure::failed(format!("cannot make the state folder {}: {e}", self.root.display()))
                .help("pass --state-dir DIR, or set XDG_STATE_HOME")
        })
    }

    /// Takes the state for this process.
    ///
    /// # Errors
    /// Another process has it, or the file cannot be used.
    pub fn lock(&self) -> Result<Lock, LockError> {
        let path = self.root.join("up.lock");
        let io = |e| LockError::Io(path.clone(), e);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                // Only for the message of whoever comes second.
                file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
                Ok(Lock(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                Err(LockError::Held(text.trim().parse().ok()))
            }
            Err(TryLockError::Error(e)) => Err(io(e)),
        }
    }

    /// The secret in this file; made on first use.
    ///
    /// # Errors
    /// The file is there but unfit, or cannot be written.
    pub fn secret(&self, path: &Path) -> Result<Secret, Failure> {
        let broken = |e: &dyn std::fmt::Display| {
            Failure::failed(format!("cannot use the token file {}: {e}", path.display()))
                .help("make it readable by you alone (chmod 600), or remove it to get a new one")
        };
        if !path.exists() {
            let secret = Secret::generate();
            return match secret.write_new(path) {
                Ok(()) => Ok(secret),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Secret::from_file(path).map_err(|e| broken(&e)),
                Err(e) => Err(broken(&e)),
            };
        }
        Secret::from_file(path).map_err(|e| broken(&e))
    }
}

/// Writes a file for its owner alone: aside, synced, renamed.
///
/// # Errors
/// What the system says.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension(format!("tmp{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&aside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_state_is_private_and_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path().join("a/pm"));
        state.create().unwrap();
        assert_eq!(std::fs::metadata(state.root()).unwrap().permissions().mode() & 0o777, 0o700);
        let lock = state.lock().unwrap();
        match state.lock() {
            Err(LockError::Held(pid)) => assert_eq!(pid, Some(std::process::id())),
            Ok(_) | Err(LockError::Io(..)) => panic!("it was taken twice"),
        }
        drop(lock);
        state.lock().unwrap();
    }

    #[test]
    fn a_token_is_made_once_and_then_read() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let first = state.secret(&state.token()).unwrap();
        assert!(state.secret(&state.token()).unwrap().matches(first.expose()));
        std::fs::set_permissions(state.token(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(state.secret(&state.token()).is_err(), "a token that others can read is refused");
    }
}
