//! `up.json`: where a running `pmctl up` is found, by every other `pmctl` of
//! the same user.

use crate::identity::Identity;
use crate::state_dir::write_private;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What a running `pmctl up` says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpRecord {
    /// Where the gateway listens, as `http://127.0.0.1:7480`.
    pub endpoint: String,
    /// Which process it is.
    #[serde(flatten)]
    pub identity: Identity,
    /// The file that holds the token.
    pub token_file: PathBuf,
}

impl UpRecord {
    /// Reads the record; `None` when there is none, or none that can be read:
    /// then nothing is known, which is what a caller has to cope with anyway.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Writes it so that a reader sees the old one or the new one, never half.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        write_private(path, &serde_json::to_vec_pretty(self)?)
    }

    /// Removes the record, if it is this one.
    pub fn remove(&self, path: &Path) {
        if Self::read(path).as_ref() == Some(self) {
            // One that stays is recognised as stale by its identity.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn record(pid: u32) -> UpRecord {
        UpRecord {
            endpoint: "http://127.0.0.1:7480".to_owned(),
            identity: Identity { pid, start_time: 7, boot_id: "b".to_owned() },
            token_file: "/state/token".into(),
        }
    }

    #[test]
    fn a_record_reads_back_is_private_and_has_the_documented_fields() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("up.json");
        record(5).write(&path).unwrap();
        assert_eq!(UpRecord::read(&path), Some(record(5)));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for field in ["endpoint", "pid", "start_time", "boot_id", "token_file"] {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert!(!record(5).identity.is_alive(), "another boot's process counts as stale");
    }

    #[test]
    fn damage_is_no_record_and_anothers_record_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("up.json");
        assert_eq!(UpRecord::read(&path), None);
        std::fs::write(&path, "{\"endpoint\":").unwrap();
        assert_eq!(UpRecord::read(&path), None);
        record(6).write(&path).unwrap();
        record(5).remove(&path);
        assert_eq!(UpRecord::read(&path), Some(record(6)));
        record(6).remove(&path);
        assert!(!path.exists());
    }
}
