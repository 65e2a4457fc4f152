//! What a disk holds: the log as `registry_log` has it, without files.

use registry_log::{Entry, Extent, Limit, Position, ReadError, Refused, Vote, Write};
use std::collections::BTreeMap;
use std::ops::Range;

/// What one entry takes besides its payload.
const OVERHEAD: u64 = 56;

/// A record; a crash keeps or loses whole ones.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    Entry(Entry),
    Truncate(u64),
    Purge(Position),
    Vote(Vote),
}

/// The log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    entries: BTreeMap<u64, Entry>,
    purged: Option<Position>,
    last: Option<Position>,
    pub(crate) vote: Option<Vote>,
}

impl Content {
    /// The records that a request comes to, if it may be.
    pub(crate) fn judge(&self, write: Write, most: u64) -> Result<Vec<Record>, Refused> {
        match write {
            Write::Append(entries) => {
                let mut expected = self.last.map(|last| last.index + 1);
                for entry in &entries {
                    let found = entry.at.index;
                    if let Some(expected) = expected.filter(|expected| *expected != found) {
                        return Err(Refused::Gap { expected, found });
                    }
                    expected = Some(found + 1);
                }
                let bytes = entries.iter().map(size).sum();
                if bytes > most {
                    return Err(Refused::TooLarge { bytes, most });
                }
                Ok(entries.into_iter().map(Record::Entry).collect())
            }
            Write::Truncate { from } => match self.purged {
                Some(purged) if from <= purged.index => Err(Refused::Purged { from, purged: purged.index }),
                Some(_) | None if self.last.is_some_and(|last| from <= last.index) => Ok(vec![Record::Truncate(from)]),
                Some(_) | None => Ok(Vec::new()),
            },
            Write::Purge { upto } if self.purged.is_none_or(|purged| purged.index < upto.index) => {
                Ok(vec![Record::Purge(upto)])
            }
            Write::Purge { .. } | Write::Flush => Ok(Vec::new()),
            Write::Vote(vote) => Ok(vec![Record::Vote(vote)]),
        }
    }

    pub(crate) fn apply(&mut self, record: &Record) {
        match record {
            Record::Entry(entry) => {
                self.last = Some(entry.at);
                self.entries.insert(entry.at.index, entry.clone());
            }
            Record::Truncate(from) => {
                self.entries.split_off(from);
                self.last = self.entries.last_key_value().map(|(_, entry)| entry.at).or(self.purged);
            }
            Record::Purge(upto) => {
                self.entries = self.entries.split_off(&(upto.index + 1));
                self.purged = Some(*upto);
                if self.last.is_none_or(|last| last.index <= upto.index) {
                    self.last = Some(*upto);
                }
            }
            Record::Vote(vote) => self.vote = Some(*vote),
        }
    }

    pub(crate) fn extent(&self) -> Extent {
        let first = self.entries.first_key_value().map(|(index, _)| *index);
        Extent { purged: self.purged, first, last: self.last }
    }

    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        self.entries.get(&index).map(|entry| entry.at.term)
    }

    pub(crate) fn read(&self, range: Range<u64>, limit: Limit) -> Result<Vec<Entry>, ReadError> {
        let next = self.last.map_or(0, |last| last.index + 1);
        let first = self.entries.first_key_value().map_or(next, |(index, _)| *index);
        if range.start < first {
            return Err(ReadError::Purged { first });
        }
        let mut bytes = 0;
        let mut read = Vec::new();
        for entry in self.entries.range(range).map(|(_, entry)| entry) {
            bytes += entry.payload.len();
            if !read.is_empty() && (read.len() >= limit.entries || bytes > limit.bytes) {
                break;
            }
            read.push(entry.clone());
        }
        Ok(read)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.entries.values().map(size).sum()
    }
}

pub(crate) fn size(entry: &Entry) -> u64 {
    entry.payload.len() as u64 + OVERHEAD
}
