//! What openraft wants back of the log ids and members that it hands out, and
//! the machine does not keep: which replica led when an entry was written, and
//! addresses. A small file, written when one of them is new.

use super::data_dir::write_durably;
use super::type_config::{LogId, Membership};
use crate::codec::{self, CodecError};
use openraft::{BasicNode, CommittedLeaderId};
use registry_consensus::{Applied, Members, Position, ReplicaId, SnapshotMeta, Voters};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why the book cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LeaderBookError {
    /// It does not read as what was written.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// What the system said.
    #[error("cannot read or write {path}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The book.
pub(crate) struct LeaderBook {
    path: PathBuf,
    content: Mutex<Content>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Content {
    /// From this index on: term, leader.
    leaders: BTreeMap<u64, (u64, u64)>,
    addresses: BTreeMap<u64, String>,
}

pub(crate) fn position(id: LogId) -> Position {
    Position { term: id.leader_id.term, index: id.index }
}

pub(crate) fn members(membership: &openraft::Membership<u64, BasicNode>) -> Members {
    let ids = |set: &BTreeSet<u64>| set.iter().copied().map(ReplicaId).collect();
    let voters = Voters::of_halves(membership.get_joint_config().iter().map(ids));
    Members { voters, learners: membership.learner_ids().map(ReplicaId).collect() }
}

impl LeaderBook {
    pub(crate) fn open(path: &Path) -> Result<Self, LeaderBookError> {
        let content = match std::fs::read(path) {
            Ok(bytes) => codec::decode("the book of leaders", &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Content::default(),
            Err(source) => return Err(LeaderBookError::Io { path: path.display().to_string(), source }),
        };
        Ok(Self { path: path.to_owned(), content: Mutex::new(content) })
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in an entry's id and members; what is new is durable on return.
    pub(crate) fn note<'a>(
        &self,
        ids: impl IntoIterator<Item = LogId>,
        nodes: impl IntoIterator<Item = (&'a u64, &'a BasicNode)>,
    ) -> Result<(), LeaderBookError> {
        let mut content = self.content();
        let before = content.clone();
        for LogId { leader_id, index } in ids {
            let leader = (leader_id.term, leader_id.node_id);
            if content.leaders.range(..=index).next_back().map(|(_, known)| *known) != Some(leader) {
                content.leaders.insert(index, leader);
            }
        }
        content.addresses.extend(nodes.into_iter().map(|(id, node)| (*id, node.addr.clone())));
        if *content == before {
            return Ok(());
        }
        let bytes = codec::encode("the book of leaders", &*content)?;
        let io = |source| LeaderBookError::Io { path: self.path.display().to_string(), source };
        write_durably(&self.path, &bytes).map_err(io)
    }

    /// A position as openraft knows it.
    pub(crate) fn log_id(&self, Position { term, index }: Position) -> LogId {
        let leader = self.content().leaders.range(..=index).next_back().map_or(0, |(_, (_, leader))| *leader);
        LogId::new(CommittedLeaderId::new(term, leader), index)
    }

    fn membership(&self, at: Option<Position>, members: &Members) -> Membership {
        let numbers = |ids: &BTreeSet<ReplicaId>| ids.iter().map(|id| id.0).collect::<BTreeSet<u64>>();
        let configs = members.voters.halves().iter().map(numbers).collect();
        let node =
            |id: ReplicaId| (id.0, BasicNode::new(self.content().addresses.get(&id.0).cloned().unwrap_or_default()));
        let nodes: BTreeMap<u64, BasicNode> = members.all().into_iter().map(node).collect();
        Membership::new(at.map(|at| self.log_id(at)), openraft::Membership::new(configs, nodes))
    }

    /// Up to where the machine has come, as openraft asks for it.
    pub(crate) fn applied(&self, applied: &Applied) -> (Option<LogId>, Membership) {
        (applied.at.map(|at| self.log_id(at)), self.membership(applied.members_at, &applied.members))
    }

    /// What a snapshot is of, as openraft asks for it.
    pub(crate) fn meta(&self, meta: &SnapshotMeta) -> openraft::SnapshotMeta<u64, BasicNode> {
        openraft::SnapshotMeta {
            last_log_id: meta.at.map(|at| self.log_id(at)),
            last_membership: self.membership(meta.members_at, &meta.members),
            snapshot_id: meta.id.clone(),
        }
    }
}
