//! From a directory to a state: founded or opened, verified, recovered.
//!
//! ```text
//! identity  log.redb   then
//! no        no         found: log first, mark second
//! no        untouched  founding was interrupted: found again
//! no        used       refuse: the mark is gone
//! yes       no         refuse: the log is gone
//! yes       yes        open, verify, recover
//! ```

use crate::io::LeaderBookError;
use crate::io::data_dir::{DataDir, DataDirError, sync_dir};
use crate::io::identity::{Identity, IdentityError};
use crate::io::log::{Extent, LogError, LogStore};
use crate::io::type_config::LogId;
use crate::machine::{MachineNumbers, MachineOpenError, MemoryMachine, Pace, Places};
use registry_consensus::{Machine, MachineFault};
use std::io;
use std::path::PathBuf;

/// Why a registry does not open. It never goes on with less than it once
/// acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is in use or cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The founding mark is damaged.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The log is damaged.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state cannot be read.
    #[error(transparent)]
    Machine(#[from] MachineOpenError),
    /// The newest snapshot cannot be read.
    #[error(transparent)]
    Snapshot(#[from] MachineFault),
    /// What openraft wants to know beside the state cannot be read.
    #[error(transparent)]
    Leaders(#[from] LeaderBookError),
    /// The directory was founded, its log is gone.
    #[error(
        "{} is missing although this directory was founded with it; restore it, or empty the directory and rejoin as a new replica",
        .0.display()
    )]
    LogVanished(PathBuf),
    /// There is a log with content, its mark is gone.
    #[error("{} is missing although there is a log; restore it", .0.display())]
    IdentityVanished(PathBuf),
    /// The directory belongs to another replica.
    #[error("the data directory belongs to replica {found}, not {wanted}")]
    OtherReplica {
        /// Whose it is.
        found: u64,
        /// Who asks.
        wanted: u64,
    },
    /// The replica id is out of range.
    #[error("replica id 0 is out of range; use 1 or more")]
    NoNodeId,
    /// What was acknowledged is no longer there.
    #[error(
        "the log ends at {last:?}, but entries up to {applied} had been applied: an old copy? Restore the newest, or empty the directory and rejoin as a new replica"
    )]
    LogBehind {
        /// Where it ends.
        last: Option<u64>,
        /// Where the state is.
        applied: u64,
    },
    /// Neither state nor snapshot reach to where the log begins.
    #[error("entries up to {purged} are no longer in the log, and no state or snapshot holds them")]
    Hole {
        /// Where the log begins.
        purged: u64,
    },
    /// A task failed or the system refused something.
    #[error("cannot open the registry")]
    Io(#[from] io::Error),
    /// The consensus engine does not start.
    #[error("the consensus engine does not start: {0}")]
    Raft(String),
}

/// An open directory.
pub(crate) struct Opened {
    pub(crate) log: LogStore,
    pub(crate) machine: MemoryMachine,
}

/// Opens or founds. Blocks.
pub(crate) fn open(dir: &DataDir, node_id: u64, numbers: MachineNumbers) -> Result<Opened, OpenError> {
    if node_id == 0 {
        return Err(OpenError::NoNodeId);
    }
    let (log, extent) = match Identity::read(&dir.identity())? {
        Some(identity) => open_log(dir, &identity, node_id)?,
        None => (found(dir, node_id)?, Extent::default()),
    };
    let places = Places { state: dir.state(), snapshots: dir.snapshots() };
    let machine = MemoryMachine::open(&places, Pace::default(), numbers)?;
    check(&machine, extent)?;
    Ok(Opened { log, machine })
}

fn open_log(dir: &DataDir, identity: &Identity, node_id: u64) -> Result<(LogStore, Extent), OpenError> {
    if identity.node_id != node_id {
        return Err(OpenError::OtherReplica { found: identity.node_id, wanted: node_id });
    }
    if !dir.log().try_exists()? {
        return Err(OpenError::LogVanished(dir.log()));
    }
    Ok(LogStore::open(&dir.log(), &identity.store_id)?)
}

fn found(dir: &DataDir, node_id: u64) -> Result<LogStore, OpenError> {
    let identity = Identity::new(node_id);
    // Nothing is acknowledged before the mark stands, so a log without one is
    // an interrupted founding; unless it has been used.
    let used = dir.state().try_exists()? || dir.snapshots().try_exists()?;
    if used || (dir.log().try_exists()? && !LogStore::is_untouched(&dir.log())?) {
        return Err(OpenError::IdentityVanished(dir.identity()));
    }
    let log = LogStore::create(&dir.log(), &identity.store_id)?;
    identity.write(&dir.identity())?;
    if let Some(parent) = dir.path().parent() {
        sync_dir(parent)?;
    }
    tracing::info!(path = %dir.path().display(), node_id, "founded a data directory");
    Ok(log)
}

/// Whether state and log go together.
fn check(machine: &MemoryMachine, extent: Extent) -> Result<(), OpenError> {
    let applied = machine.applied().at.map(|at| at.index);
    if applied < index(extent.purged) {
        return Err(OpenError::Hole { purged: index(extent.purged).unwrap_or(0) });
    }
    check_log_is_newest(machine, applied, extent)
}

/// A log that ends before what was applied is not the one that acknowledged
/// it, and must not vote. One exception: a follower that has just installed a
/// snapshot, and was stopped before it could purge what the snapshot holds.
fn check_log_is_newest(machine: &MemoryMachine, applied: Option<u64>, extent: Extent) -> Result<(), OpenError> {
    let Some(applied) = applied.filter(|applied| index(extent.last) < Some(*applied)) else {
        return Ok(());
    };
    let newest = machine.newest_snapshot()?.and_then(|snapshot| snapshot.meta.at);
    // Its log ends before the snapshot does; a log that is missing its tail
    // ends behind it.
    if newest.is_some_and(|newest| newest.index == applied) && extent.voted {
        return Ok(());
    }
    Err(OpenError::LogBehind { last: index(extent.last), applied })
}

fn index(id: Option<LogId>) -> Option<u64> {
    id.map(|id| id.index)
}
