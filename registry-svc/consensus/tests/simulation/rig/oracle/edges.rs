//! What leaves a replica must be on its disk: the rules of the edge, seen
//! from outside.

use super::{Oracle, pair};
use crate::rig::SimDisk;
use registry_consensus::{Answer, Append, Appended, Call, Position, Vote};

impl Oracle {
    /// A replica sends this.
    pub(crate) fn asks(&self, (from, life): (u64, u64), call: &Call, disk: &SimDisk) {
        let Call::Append(append) = call else { return };
        if append.vote.committed && append.vote.voted_for == Some(from) {
            self.leads((from, life), append.vote.term);
        }
        if let Some(committed) = append.committed.filter(|at| !self.durable(from, disk, *at)) {
            self.violated(format!(
                "replica {from} tells that {committed} is committed, and does not have it on its disk"
            ));
        }
    }

    fn leads(&self, life: (u64, u64), term: u64) {
        let mut state = self.lock();
        let id = life.0;
        match state.leaders.insert(term, life) {
            Some(other) if other.0 != id => {
                state.violated(format!("replicas {} and {id} both lead term {term}", other.0));
            }
            Some(other) if other != life => {
                state.violated(format!("replica {id} leads term {term} again after a restart"));
            }
            Some(_) => {}
            None => {
                *state.counts.entry("leader elected").or_default() += 1;
                state.story.tell(|| format!("replica {id} leads term {term}"));
            }
        }
    }

    /// A replica answers a call so.
    pub(crate) fn answers(&self, by: u64, asked: &Asked, answer: &Answer, disk: &SimDisk) {
        let missing = match (asked, answer) {
            (Asked::Append { previous, entries }, Answer::Appended(Appended::All)) => {
                previous.iter().chain(entries).find(|at| !self.durable(by, disk, **at)).map(ToString::to_string)
            }
            (Asked::Append { .. }, Answer::Appended(Appended::UpTo(Some(at)))) if !self.durable(by, disk, *at) => {
                Some(at.to_string())
            }
            (Asked::Vote(vote), Answer::Vote(answer)) if answer.granted => {
                let written = disk.look(|history, _| history.votes.contains(&(vote.term, vote.voted_for)));
                (!written).then(|| format!("{vote:?}"))
            }
            _ => None,
        };
        if let Some(missing) = missing {
            self.violated(format!("replica {by} answers {answer:?} and does not have {missing} on its disk"));
        }
    }

    /// It was durable there at some time. What was truncated since was by a leader that has another one there.
    fn durable(&self, id: u64, disk: &SimDisk, at: Position) -> bool {
        let snapshot = self.lock().snapshots.get(&id).is_some_and(|index| *index >= at.index);
        snapshot || disk.look(|history, _| history.entries.contains(&pair(at)))
    }
}

/// What of a call its answer depends on.
pub(crate) enum Asked {
    Append { previous: Option<Position>, entries: Vec<Position> },
    Vote(Vote),
    Other,
}

impl Asked {
    pub(crate) fn of(call: &Call) -> Self {
        match call {
            Call::Append(Append { previous, entries, .. }) => {
                Self::Append { previous: *previous, entries: entries.iter().map(|entry| entry.at).collect() }
            }
            Call::Vote(question) => Self::Vote(question.vote),
            Call::Confirm { .. } | Call::ReadIndex { .. } | Call::Service(_) => Self::Other,
        }
    }
}
