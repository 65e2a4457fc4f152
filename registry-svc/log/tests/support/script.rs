//! Requests out of a seed and the state at the beginning: parent and child
//! make the same ones, so that only numbers have to pass between them.

use super::model::Model;
use super::{at, entry};
use registry_log::{Vote, Write};

/// Endless. Each append has one entry, so that a state after a crash is the
/// state after some number of requests.
pub struct Script {
    random: u64,
    model: Model,
    term: u64,
}

impl Script {
    pub fn new(seed: u64, begin: Model) -> Self {
        let term = begin.last().map_or(1, |last| last.term + 1);
        Self { random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, model: begin, term }
    }

    fn below(&mut self, most: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % most
    }

    fn request(&mut self) -> Write {
        let next = self.model.next();
        match self.below(20) {
            0 => {
                self.term += 1;
                Write::Vote(Vote { term: self.term, voted_for: Some(self.below(3)), committed: self.below(2) == 0 })
            }
            1 if self.model.entries.len() > 4 => {
                self.term += 1;
                Write::Truncate { from: next - 1 - self.below(3) }
            }
            2 if self.model.entries.len() > 40 => {
                let middle = self.model.entries[self.model.entries.len() / 2].at;
                Write::Purge { upto: middle }
            }
            // Beyond the end, as after a snapshot from elsewhere.
            3 if self.below(20) == 0 => Write::Purge { upto: at(self.term, next + self.below(5)) },
            _ => Write::Append(vec![entry(self.term, next, 10 + self.below(2000) as usize)]),
        }
    }
}

impl Iterator for Script {
    type Item = Write;

    fn next(&mut self) -> Option<Write> {
        let request = self.request();
        self.model.apply(&request);
        Some(request)
    }
}
