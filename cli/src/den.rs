//! The folder of one `pmctl watch`: one for each log file, in the user's
//! runtime folder, so that a second watch of the same file is refused, and what
//! a killed one left running is found again.

use crate::error::Failure;
use crate::state_dir::{Lock, LockError, StateDir, write_private};
use process_model::ProcessSpec;
use std::path::{Path, PathBuf};

/// The folder, held for this process alone.
#[derive(Debug)]
pub struct Den {
    /// The folder.
    pub root: PathBuf,
    _lock: Lock,
}

/// What a killed watch of the same file left running.
pub enum Leftover {
    /// Nothing.
    None,
    /// The same command: it can be taken over as it is.
    Same(Box<ProcessSpec>),
    /// Another command.
    Other,
}

impl Den {
    /// Takes the folder of this log file.
    ///
    /// # Errors
    /// Another watch has it, or it cannot be used.
    pub fn take(state: &StateDir, log: &Path) -> Result<Self, Failure> {
        let runtime =
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute() && dir.is_dir());
        let parent = runtime.map_or_else(|| state.root().to_owned(), |dir| dir.join("pm"));
        let root = parent.join(format!("watch-{:016x}", fnv1a(log.as_os_str().as_encoded_bytes())));
        let own = StateDir::at(&root);
        own.create()?;
        match own.lock() {
            Ok(lock) => Ok(Self { root, _lock: lock }),
            Err(LockError::Held(pid)) => {
                let who = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
                Err(Failure::failed(format!("{} is watched already{who}", log.display()))
                    .help("give this command a log file of its own"))
            }
            Err(LockError::Io(path, e)) => Err(Failure::failed(format!("cannot lock {}: {e}", path.display()))),
        }
    }

    /// The runner's state folder.
    #[must_use]
    pub fn runner(&self) -> PathBuf {
        self.root.join("runner")
    }

    /// What is still running of a killed watch.
    #[must_use]
    pub fn leftover(&self, spec: &ProcessSpec) -> Leftover {
        if !runner_svc::keeper_lives(&self.runner()) {
            return Leftover::None;
        }
        let before = std::fs::read(self.root.join("spec.json")).ok();
        match before.and_then(|bytes| serde_json::from_slice::<ProcessSpec>(&bytes).ok()) {
            // The terminal's environment differs from call to call; what was asked for does not.
            Some(before) if (ProcessSpec { env: spec.env.clone(), ..before.clone() }) == *spec => {
                Leftover::Same(Box::new(before))
            }
            Some(_) | None => Leftover::Other,
        }
    }

    /// Notes what is being watched, for the one who finds it after a kill.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember(&self, spec: &ProcessSpec) -> Result<(), Failure> {
        let path = self.root.join("spec.json");
        serde_json::to_vec(spec)
            .map_err(std::io::Error::other)
            .and_then(|bytes| write_private(&path, &bytes))
            .map_err(|e| Failure::failed(format!("cannot write {}: {e}", path.display())))
    }

    /// Removes what is in it. The lock's file stays: to remove it while others
    /// may just be opening it would let two of them in.
    pub fn clear(&self) {
        // What cannot be removed is found and reused by the next watch.
        let _ = std::fs::remove_dir_all(self.runner());
        let _ = std::fs::remove_dir_all(self.root.join("logs"));
        let _ = std::fs::remove_file(self.root.join("spec.json"));
    }
}

/// FNV-1a, 64 bits: a stable short name for a path, no secret in it.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_watched_once() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let log = dir.path().join("x.log");
        let first = Den::take(&state, &log).unwrap();
        let refused = Den::take(&state, &log).map(drop).unwrap_err();
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
        assert!(Den::take(&state, &dir.path().join("y.log")).is_ok());
        drop(first);
        assert!(Den::take(&state, &log).is_ok());
    }

    #[test]
    fn a_short_name_is_stable() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
