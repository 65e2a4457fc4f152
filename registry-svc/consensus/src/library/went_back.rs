//! A follower that acknowledged entries and lacks them later has lost what was
//! on its disk: part of its directory went back. The library takes that for
//! its own mistake (it asserts, or calculates with nonsense), so it never gets
//! to see it.

use crate::{Appended, Position, ReplicaId};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What each follower acknowledged to this leader.
#[derive(Default)]
pub(super) struct Acknowledged(Mutex<BTreeMap<ReplicaId, (u64, Position)>>);

/// Its log went back.
#[derive(Debug, thiserror::Error)]
#[error(
    "replica {peer} acknowledged {acknowledged} and does not have {lacks}: its log went back (an old copy of its \
     directory, or a disk that lies); empty the directory and let it join anew"
)]
pub(super) struct WentBack {
    peer: ReplicaId,
    acknowledged: Position,
    lacks: Position,
}

impl Acknowledged {
    /// Takes up an answer to entries from behind `previous` up to `last`, in a term.
    pub(super) fn answered(
        &self,
        peer: ReplicaId,
        term: u64,
        (previous, last): (Option<Position>, Option<Position>),
        answer: &Appended,
    ) -> Result<(), WentBack> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&peer).filter(|(known, _)| *known == term).map(|(_, at)| *at);
        let reached = match answer {
            Appended::All => last.or(previous),
            Appended::UpTo(upto) => *upto,
            Appended::Conflict => {
                let lost = previous.zip(known).filter(|(lacks, acknowledged)| lacks.index <= acknowledged.index);
                return lost.map_or(Ok(()), |(lacks, acknowledged)| Err(WentBack { peer, acknowledged, lacks }));
            }
            Appended::Outvoted(_) => None,
        };
        if let Some(reached) = reached.filter(|reached| known.is_none_or(|known| known < *reached)) {
            all.insert(peer, (term, reached));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: ReplicaId = ReplicaId(2);

    fn at(index: u64) -> Option<Position> {
        Some(Position { term: 1, index })
    }

    #[test]
    fn who_lacks_what_he_acknowledged_has_lost_it() {
        let known = Acknowledged::default();
        known.answered(PEER, 3, (at(4), at(9)), &Appended::All).unwrap();
        known.answered(PEER, 3, (at(9), None), &Appended::All).unwrap();
        let lost = known.answered(PEER, 3, (at(9), at(12)), &Appended::Conflict).unwrap_err();
        assert!(
            lost.to_string().contains("replica 2 acknowledged entry 9 of term 1 and does not have entry 9"),
            "{lost}"
        );
        assert!(known.answered(PEER, 3, (at(5), None), &Appended::Conflict).is_err());
    }

    #[test]
    fn a_log_that_is_only_looked_for_is_no_loss() {
        let known = Acknowledged::default();
        known.answered(PEER, 3, (at(9), None), &Appended::Conflict).unwrap();
        known.answered(PEER, 3, (at(4), at(6)), &Appended::UpTo(at(5))).unwrap();
        known.answered(PEER, 3, (at(6), None), &Appended::Conflict).unwrap();
        // In another term the logs are compared anew.
        known.answered(PEER, 4, (at(3), None), &Appended::Conflict).unwrap();
    }
}
