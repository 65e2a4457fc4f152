//! What leaves a replica must be on its disk: the rules of the edge, seen
//! from outside.

use super::applied::covered;
use super::{Oracle, pair};
use crate::rig::SimDisk;
use registry_consensus::{Answer, Append, Appended, Call, Position, Vote};

impl Oracle {
    /// A replica sends this.
    pub(crate) fn asks(&self, from: u64, call: &Call, disk: &SimDisk) {
        let Call::Append(append) = call else { return };
        if append.vote.committed && append.vote.voted_for == Some(from) {
            self.leads(from, append.vote.term);
        }
        if let Some(committed) = append.committed.filter(|at| !durable(disk, *at)) {
            self.violated(format!(
                "replica {from} tells that {committed} is committed, and does not have it on its disk"
            ));
        }
    }

    fn leads(&self, id: u64, term: u64) {
        let mut state = self.lock();
        match state.leaders.insert(term, id) {
            Some(other) if other != id => {
                state.violated(format!("replicas {other} and {id} both lead term {term}"));
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
                previous.iter().chain(entries).find(|at| !durable(disk, **at)).map(ToString::to_string)
            }
            (Asked::Append { .. }, Answer::Appended(Appended::UpTo(Some(at)))) if !durable(disk, *at) => {
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
            Call::Confirm { .. } | Call::ReadIndex | Call::Service(_) => Self::Other,
        }
    }
}

/// It was durable here at some time. What was truncated since was by a leader that has another one there.
fn durable(disk: &SimDisk, at: Position) -> bool {
    disk.look(|history, purged| history.entries.contains(&pair(at)) || covered(purged, at))
}
