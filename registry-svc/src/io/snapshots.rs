//! Snapshots: files with a checksum, written aside, synced, renamed, the
//! directory synced. Only the newest is kept.
//!
//! ```text
//! "PMSNAP1\n" ‖ { length (4 bytes) ‖ MessagePack }… ‖ crc32 of all before (4 bytes)
//! ```
//! The first block is openraft's description, each further one a row. The
//! file's bytes are also what a follower receives.

use super::data_dir::{sync_dir, write_durably};
use super::type_config::LogId;
use crate::codec::{self, CodecError};
use crate::view::Machine;
use openraft::{BasicNode, SnapshotMeta};
use registry_domain::State;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const MAGIC: &[u8] = b"PMSNAP1\n";

/// openraft's description of a snapshot.
pub type Meta = SnapshotMeta<u64, BasicNode>;

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not what was written.
    #[error("the snapshot {0} is damaged")]
    Damaged(String),
    /// It cannot be written down or read back.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// What the system said.
    #[error("cannot read or write the snapshot {path}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The snapshots of a data directory.
#[derive(Debug, Clone)]
pub struct SnapshotFiles {
    dir: PathBuf,
}

impl SnapshotFiles {
    /// The directory, made when missing.
    ///
    /// # Errors
    /// What the system said.
    pub fn open(dir: &Path) -> Result<Self, SnapshotError> {
        let files = Self { dir: dir.to_owned() };
        std::fs::create_dir_all(dir).map_err(|e| files.io(dir, e))?;
        sync_dir(dir.parent().unwrap_or(Path::new("/"))).map_err(|e| files.io(dir, e))?;
        Ok(files)
    }

    fn io(&self, path: &Path, source: io::Error) -> SnapshotError {
        SnapshotError::Io { path: path.display().to_string(), source }
    }

    /// Keeps these bytes as the newest snapshot and removes the others.
    ///
    /// # Errors
    /// What the system said.
    pub fn keep(&self, meta: &Meta, bytes: &[u8]) -> Result<(), SnapshotError> {
        let path = self.dir.join(file_name(meta.last_log_id));
        write_durably(&path, bytes).map_err(|e| self.io(&path, e))?;
        for old in self.list()?.into_iter().filter(|p| *p != path) {
            // A leftover costs space and is removed by the next snapshot.
            if let Err(error) = std::fs::remove_file(&old) {
                tracing::warn!(path = %old.display(), %error, "cannot remove an old snapshot");
            }
        }
        Ok(())
    }

    /// The newest snapshot, verified; `None` when there is none.
    ///
    /// # Errors
    /// It is damaged or cannot be read.
    pub fn newest(&self) -> Result<Option<(Meta, Vec<u8>)>, SnapshotError> {
        let Some(path) = self.list()?.pop() else { return Ok(None) };
        let bytes = std::fs::read(&path).map_err(|e| self.io(&path, e))?;
        let (meta, _) = blocks(&bytes).ok_or_else(|| SnapshotError::Damaged(path.display().to_string()))?;
        Ok(Some((codec::decode("a snapshot", meta)?, bytes)))
    }

    /// Puts a damaged newest snapshot aside, where nothing looks for it.
    ///
    /// # Errors
    /// What the system said.
    pub fn set_aside_newest(&self) -> Result<(), SnapshotError> {
        let Some(path) = self.list()?.pop() else { return Ok(()) };
        std::fs::rename(&path, path.with_extension("damaged")).map_err(|e| self.io(&path, e))
    }

    /// Snapshot files, oldest first: names sort as positions do.
    fn list(&self) -> Result<Vec<PathBuf>, SnapshotError> {
        let entries = std::fs::read_dir(&self.dir).map_err(|e| self.io(&self.dir, e))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| self.io(&self.dir, e))?.path();
            if path.extension().is_some_and(|e| e == "snap") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

fn file_name(last: Option<LogId>) -> String {
    let (index, term) = last.map_or((0, 0), |id| (id.index, id.leader_id.term));
    format!("{index:020}-{term:020}.snap")
}

/// Writes a machine down.
///
/// # Errors
/// Something in it cannot be encoded.
pub fn encode(machine: &Machine) -> Result<(Meta, Vec<u8>), SnapshotError> {
    let meta = Meta {
        last_log_id: machine.applied,
        last_membership: machine.membership.clone(),
        snapshot_id: Uuid::new_v4().to_string(),
    };
    let mut bytes = MAGIC.to_vec();
    push(&mut bytes, &codec::encode("a snapshot", &meta)?)?;
    for row in machine.state.rows() {
        push(&mut bytes, &codec::encode("a row", &row)?)?;
    }
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_be_bytes());
    Ok((meta, bytes))
}

fn push(bytes: &mut Vec<u8>, block: &[u8]) -> Result<(), SnapshotError> {
    let length = u32::try_from(block.len()).map_err(|_| SnapshotError::Damaged("being written".to_owned()))?;
    bytes.extend(length.to_be_bytes());
    bytes.extend(block);
    Ok(())
}

/// Reads a machine back.
///
/// # Errors
/// It is damaged.
pub fn decode(bytes: &[u8]) -> Result<Machine, SnapshotError> {
    let damaged = || SnapshotError::Damaged("received or stored".to_owned());
    let (meta, mut rest) = blocks(bytes).ok_or_else(damaged)?;
    let meta: Meta = codec::decode("a snapshot", meta)?;
    let mut state = State::default();
    while !rest.is_empty() {
        let (row, next) = split(rest).ok_or_else(damaged)?;
        state.load(codec::decode("a row", row)?);
        rest = next;
    }
    Ok(Machine { state, applied: meta.last_log_id, membership: meta.last_membership })
}

/// First block and the rest, if the checksum is right.
fn blocks(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, crc) = bytes.split_last_chunk::<4>()?;
    let body = content.strip_prefix(MAGIC)?;
    (crc32fast::hash(content) == u32::from_be_bytes(*crc)).then_some(())?;
    split(body)
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_reads_back_and_every_flipped_byte_is_noticed() {
        let (_, bytes) = encode(&Machine::default()).unwrap();
        assert_eq!(decode(&bytes).unwrap().state, State::default());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            assert!(decode(&damaged).is_err(), "byte {at}");
        }
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "cut to {len}");
        }
    }
}
