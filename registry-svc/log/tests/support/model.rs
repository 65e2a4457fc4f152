//! The log as a plain list.

use super::{Log, entries};
use registry_log::{Entry, Extent, Position, Vote, Write};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    pub purged: Option<Position>,
    pub entries: Vec<Entry>,
    pub vote: Option<Vote>,
}

impl Model {
    /// What a log holds.
    pub fn of(log: &Log) -> Self {
        let model = Self { purged: log.extent().purged, entries: entries(log), vote: log.vote() };
        assert_eq!(model.extent(), log.extent());
        model
    }

    pub fn last(&self) -> Option<Position> {
        self.entries.last().map(|entry| entry.at).or(self.purged)
    }

    pub fn extent(&self) -> Extent {
        Extent { purged: self.purged, first: self.entries.first().map(|entry| entry.at.index), last: self.last() }
    }

    /// What has to come next.
    pub fn next(&self) -> u64 {
        self.last().map_or(0, |last| last.index + 1)
    }

    /// Requests that the log accepts.
    pub fn apply(&mut self, write: &Write) {
        match write {
            Write::Append(entries) => self.entries.extend(entries.iter().cloned()),
            Write::Truncate { from } => self.entries.retain(|entry| entry.at.index < *from),
            Write::Purge { upto } => {
                if self.purged.is_none_or(|purged| purged.index < upto.index) {
                    self.entries.retain(|entry| entry.at.index > upto.index);
                    self.purged = Some(*upto);
                }
            }
            Write::Vote(vote) => self.vote = Some(*vote),
            Write::Flush => {}
        }
    }
}
