//! Before the library opens the log: what it would make of it, and must not.

use crate::edge::Edge;
use crate::library::ConsensusError;
use crate::{LogDisk, Machine, ReplicaId, Vote};
use registry_log::{Extent, Position, Write};
use std::error::Error;
use std::sync::Arc;

/// Brings vote and log into an order that the library may find.
pub(crate) async fn open(
    me: ReplicaId,
    disk: &dyn LogDisk,
    machine: &dyn Machine,
    edge: &Arc<Edge>,
) -> Result<(), ConsensusError> {
    let mut writes: Vec<Write> = forsworn(me, disk.vote()).into_iter().collect();
    let at = machine.applied().at.map(|at| Position { term: at.term, index: at.index });
    if let Some(at) = at {
        let extent = disk.extent();
        writes.extend(caught_up(at, disk.term(at.index), &extent));
    }
    let mut lsn = None;
    for write in writes {
        lsn = Some(edge.submit(write).map_err(|refused| stopped(&refused))?);
    }
    match lsn {
        Some(lsn) => edge.durable(lsn).await.map_err(|fault| stopped(&fault)),
        None => Ok(()),
    }
}

fn stopped(error: &dyn Error) -> ConsensusError {
    ConsensusError::Stopped(error.to_string())
}

/// The library would go on leading in the same term after a restart, and so
/// acknowledge with a log of which it may have forgotten what it never synced.
/// A leader that restarts needs a new term, for which it has to ask.
fn forsworn(me: ReplicaId, vote: Option<Vote>) -> Option<Write> {
    let vote = vote.filter(|vote| vote.committed && vote.voted_for == Some(me.0))?;
    Some(Write::Vote(Vote { committed: false, ..vote }))
}

/// A snapshot was installed, and the process ended before the log was cut to
/// it. The library would only see that when the log ends before the snapshot
/// in the order of terms; a tail of a leader that lost, with a higher term or
/// beyond the snapshot, would stay and no entry would fit behind it.
fn caught_up(at: Position, term: Option<u64>, extent: &Extent) -> Vec<Write> {
    let purged = extent.purged.is_some_and(|purged| purged.index >= at.index);
    if purged || term == Some(at.term) {
        return Vec::new();
    }
    let tail = extent.first.map(|from| Write::Truncate { from });
    tail.into_iter().chain([Write::Purge { upto: at }]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(term: u64, index: u64) -> Position {
        Position { term, index }
    }

    fn log(purged: Option<Position>, first: u64, last: Position) -> Extent {
        Extent { purged, first: Some(first), last: Some(last) }
    }

    #[test]
    fn a_log_that_has_the_last_applied_entry_stays_as_it_is() {
        assert_eq!(caught_up(at(2, 7), Some(2), &log(None, 0, at(3, 9))), []);
        assert_eq!(caught_up(at(2, 7), None, &log(Some(at(2, 7)), 8, at(3, 9))), []);
    }

    #[test]
    fn a_log_that_is_not_the_one_of_the_snapshot_goes() {
        let gone = |from| vec![Write::Truncate { from }, Write::Purge { upto: at(2, 7) }];
        // It ends before, but in a higher term; it goes on beyond, with other entries.
        assert_eq!(caught_up(at(2, 7), None, &log(None, 0, at(3, 5))), gone(0));
        assert_eq!(caught_up(at(2, 7), Some(1), &log(Some(at(1, 3)), 4, at(1, 9))), gone(4));
        assert_eq!(caught_up(at(2, 7), None, &Extent::default()), [Write::Purge { upto: at(2, 7) }]);
    }

    #[test]
    fn only_the_own_leadership_is_given_up() {
        let vote = |voted_for, committed| Some(Vote { term: 3, voted_for, committed });
        let me = ReplicaId(1);
        assert_eq!(forsworn(me, vote(Some(1), true)), Some(Write::Vote(vote(Some(1), false).unwrap())));
        for kept in [vote(Some(1), false), vote(Some(2), true), vote(None, false), None] {
            assert_eq!(forsworn(me, kept), None, "{kept:?}");
        }
    }
}
