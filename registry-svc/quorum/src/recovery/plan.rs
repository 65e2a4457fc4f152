//! From what survived to the recovery that loses least.

use super::{RecoveryRefusal, Remains};
use crate::{Position, ReplicaId};
use std::collections::BTreeSet;

/// A forced recovery, before it is confirmed. `Display` is what the operator reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Whose directory becomes the new cluster.
    pub from: ReplicaId,
    /// The cluster; its identity stays.
    pub cluster: String,
    /// The new epoch: peers and runners refuse every lower one.
    pub epoch: u64,
    /// The term that the new cluster begins in, above every vote that was seen.
    pub term: u64,
    /// The number of the only member: a new one, as the old one's voice may have been counted somewhere.
    pub member: ReplicaId,
    /// The number that the next replica gets.
    pub next: u64,
    /// Everything up to here is kept.
    pub keeps: Position,
    /// When the newest kept entry was made.
    pub newest: Option<String>,
    /// Kept entries of which nobody knows whether they were acknowledged: some may be changes whose author heard
    /// "result unknown".
    pub unconfirmed: u64,
    /// Voters whose directories are not at hand: they may have acknowledged changes behind `keeps`.
    pub missing: BTreeSet<ReplicaId>,
    /// Members of the old epoch that are turned away for good.
    pub fenced: BTreeSet<ReplicaId>,
}

/// The directory to recover from: of the newest epoch, and of those that hold everything that any survivor knows to be
/// committed, the one with the newest log, as it may hold more that was acknowledged. The newest log alone is not
/// enough: without a majority it may be a branch that lost (Raft, Ongaro 2014, figure 3.7).
///
/// `holds` says whether a directory's log has its entry at this position.
#[must_use]
pub fn best(survivors: &[Remains], holds: impl Fn(&Remains, Position) -> bool) -> Option<&Remains> {
    let epoch = survivors.iter().map(|remains| remains.epoch).max()?;
    let newest = || survivors.iter().filter(|remains| remains.epoch == epoch);
    let committed = newest().map(|remains| remains.committed).max()?;
    let whole = newest().filter(|remains| remains.committed == committed || holds(remains, committed));
    whole.max_by_key(|remains| (remains.last, remains.id))
}

/// Plans the recovery from all directories that survived; `holds` as for [`best`].
///
/// # Errors
/// Why there is nothing to recover, or a better way.
pub fn plan(survivors: &[Remains], holds: impl Fn(&Remains, Position) -> bool) -> Result<Recovery, RecoveryRefusal> {
    let from = best(survivors, holds).ok_or(RecoveryRefusal::Nothing)?;
    for other in survivors {
        if other.cluster != from.cluster {
            return Err(RecoveryRefusal::OtherClusters { one: from.cluster.clone(), other: other.cluster.clone() });
        }
        if other.epoch < from.epoch {
            return Err(RecoveryRefusal::Fenced { id: other.id, epoch: other.epoch, newer: from.epoch });
        }
    }
    if from.voters.all().is_empty() {
        return Err(RecoveryRefusal::NoMember(from.id));
    }
    let at_hand: BTreeSet<ReplicaId> = survivors.iter().map(|remains| remains.id).collect();
    // The newest log may already hold a change of the voters that is not committed: then either set could elect.
    let elects = |remains: &Remains| remains.voters.majority(|id| at_hand.contains(&id));
    if survivors.iter().any(elects) {
        return Err(RecoveryRefusal::QuorumLives(at_hand));
    }
    let voters = from.voters.all();
    let fenced = voters.iter().chain(&from.learners).copied().collect();
    let highest = survivors.iter().map(|remains| remains.next).max().unwrap_or(0);
    // Numbers that are in use count even where the counter is behind.
    let used = voters.iter().chain(&from.learners).chain(&at_hand).map(|id| id.0 + 1).max().unwrap_or(1);
    let member = ReplicaId(highest.max(used));
    let committed = survivors.iter().map(|remains| remains.committed).max().unwrap_or_default();
    Ok(Recovery {
        from: from.id,
        cluster: from.cluster.clone(),
        epoch: from.epoch + 1,
        term: survivors.iter().map(|remains| remains.term.max(remains.last.term)).max().unwrap_or(0) + 1,
        member,
        next: member.0 + 1,
        keeps: from.last,
        newest: from.newest.clone(),
        unconfirmed: from.last.index.saturating_sub(committed.index),
        missing: voters.difference(&at_hand).copied().collect(),
        fenced,
    })
}
