//! A planned change of the leader, seen from the leader. Proposals are held
//! until the heir has the whole log; then it is asked to stand, and wins with
//! our vote. Whatever goes wrong, the queue moves again in bounded time.

use super::Standing;
use crate::{Millis, ReplicaId};

/// A hand-over under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandOver {
    pub(super) to: ReplicaId,
    pub(super) term: u64,
    pub(super) until: Millis,
    pub(super) sent: bool,
}

impl HandOver {
    /// The heir has everything that we have.
    pub(super) fn is_level(&self, standing: &Standing) -> bool {
        standing.matched.get(&self.to).is_some_and(|matched| *matched >= standing.last.index)
    }
}

/// Who could take over soonest: of the voters that are connected, the one with the most of the log. Voters that a
/// joint change is about to drop come last.
pub(super) fn heir(standing: &Standing, me: ReplicaId, is_up: impl Fn(ReplicaId) -> bool) -> Option<ReplicaId> {
    let stays = standing.voters.target();
    let reachable = standing.voters.all().into_iter().filter(|id| *id != me && is_up(*id));
    reachable.max_by_key(|id| (stays.contains(id), standing.matched.get(id).copied(), *id))
}
