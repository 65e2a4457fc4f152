//! A position in the log with the members as of there, as it stands on disk:
//! in the state store and in the head of a snapshot. Fields are only ever
//! added, with a default.

use registry_consensus::{Applied, Members, Position, ReplicaId, SnapshotMeta, Voters};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Term, then index.
type Place = (u64, u64);

/// A position and the members as of there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppliedRecord {
    pub(crate) at: Option<Place>,
    pub(crate) members_at: Option<Place>,
    /// One set, or both halves of a joint change.
    pub(crate) voters: Vec<BTreeSet<u64>>,
    pub(crate) learners: BTreeSet<u64>,
}

fn place(position: Position) -> Place {
    (position.term, position.index)
}

fn position((term, index): Place) -> Position {
    Position { term, index }
}

fn numbers(ids: &BTreeSet<ReplicaId>) -> BTreeSet<u64> {
    ids.iter().map(|id| id.0).collect()
}

fn ids(numbers: BTreeSet<u64>) -> BTreeSet<ReplicaId> {
    numbers.into_iter().map(ReplicaId).collect()
}

impl From<&Applied> for AppliedRecord {
    fn from(applied: &Applied) -> Self {
        Self {
            at: applied.at.map(place),
            members_at: applied.members_at.map(place),
            voters: applied.members.voters.halves().iter().map(numbers).collect(),
            learners: numbers(&applied.members.learners),
        }
    }
}

impl From<AppliedRecord> for Applied {
    fn from(record: AppliedRecord) -> Self {
        let voters = Voters::of_halves(record.voters.into_iter().map(ids));
        Self {
            at: record.at.map(position),
            members_at: record.members_at.map(position),
            members: Members { voters, learners: ids(record.learners) },
        }
    }
}

/// What a snapshot is of.
pub(crate) fn meta(id: String, applied: Applied) -> SnapshotMeta {
    SnapshotMeta { id, at: applied.at, members_at: applied.members_at, members: applied.members }
}

/// Up to where a snapshot goes.
pub(crate) fn applied(meta: &SnapshotMeta) -> Applied {
    Applied { at: meta.at, members_at: meta.members_at, members: meta.members.clone() }
}
