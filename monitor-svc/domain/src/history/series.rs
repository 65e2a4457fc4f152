//! The samples of one instance on one node, or of one node: completed blocks
//! and the one being filled. Times in it only grow.

use super::block::{Packer, Rows};
use super::row::{Columns, Row, timestamp};
use process_model::Timestamp;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::time::Duration;

/// Rows per block: what is forgotten at once. About a minute at one sample a
/// second; the first row of a block costs some 30 bytes, so this many make
/// that cheap.
const BLOCK_ROWS: usize = 64;

/// How far back a sample may lie to count as one that was sent twice or
/// overtaken. Further back, the node's clock was set back: the series begins
/// anew, since its old times and its new ones do not compare.
const OVERTAKEN: Duration = Duration::from_secs(120);

/// How much the beginning of a run may move between two samples before it is
/// believed: below it is the jitter of two clocks read one after the other.
const JITTER_MS: u64 = 1000;

/// What an append did; sizes are for the books of the whole history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    Repeated,
    Grown { bytes: usize },
    Completed { bytes: usize },
    Restarted { lost_bytes: usize, lost_samples: usize, bytes: usize },
}

#[derive(Debug)]
struct Block {
    bytes: Box<[u8]>,
    rows: usize,
    last_arrival: Duration,
}

impl Block {
    fn cost(&self) -> usize {
        size_of::<Self>() + self.bytes.len()
    }
}

#[derive(Debug)]
pub(super) struct Series<S> {
    born: u64,
    blocks: VecDeque<Block>,
    filling: Packer,
    newest: Option<Row>,
    began: i64,
    last_arrival: Duration,
    samples: usize,
    bytes: usize,
    kind: PhantomData<S>,
}

impl<S: Columns> Series<S> {
    pub(super) fn new(born: u64) -> Self {
        Self {
            born,
            blocks: VecDeque::new(),
            filling: Packer::default(),
            newest: None,
            began: 0,
            last_arrival: Duration::ZERO,
            samples: 0,
            bytes: size_of::<Self>(),
            kind: PhantomData,
        }
    }

    /// Adds a sample. `births` numbers a series that begins anew.
    pub(super) fn append(&mut self, sample: &S, now: Duration, births: &mut u64) -> Appended {
        let row = sample.to_row();
        if let Some(newest) = &self.newest {
            let behind = newest[0].saturating_sub(row[0]);
            if behind >= 0 {
                if Duration::from_millis(behind.unsigned_abs()) <= OVERTAKEN {
                    return Appended::Repeated;
                }
                let (lost_bytes, lost_samples) = (self.bytes, self.samples);
                *births += 1;
                *self = Self::new(*births);
                self.add(&row, now);
                return Appended::Restarted { lost_bytes, lost_samples, bytes: self.bytes };
            }
        }
        let before = self.bytes;
        if self.add(&row, now) {
            Appended::Completed { bytes: self.bytes - before }
        } else {
            Appended::Grown { bytes: self.bytes - before }
        }
    }

    /// True when it completed a block.
    fn add(&mut self, row: &Row, now: Duration) -> bool {
        let same_run = self.newest.as_ref().is_some_and(|newest| S::same_run(newest, row));
        if !same_run || self.began.abs_diff(row[1]) > JITTER_MS {
            self.began = row[1];
        }
        let packed = self.filling.bytes().len();
        self.filling.push(row);
        self.bytes += self.filling.bytes().len() - packed;
        self.newest = Some(*row);
        self.last_arrival = now;
        self.samples += 1;
        if self.filling.rows() < BLOCK_ROWS {
            return false;
        }
        let rows = self.filling.rows();
        self.blocks.push_back(Block { bytes: self.filling.take(), rows, last_arrival: now });
        self.bytes += size_of::<Block>();
        true
    }

    /// Drops the oldest completed block: how many samples and bytes went.
    pub(super) fn drop_front(&mut self) -> Option<(usize, usize)> {
        let block = self.blocks.pop_front()?;
        self.samples -= block.rows;
        self.bytes -= block.cost();
        Some((block.rows, block.cost()))
    }

    pub(super) fn newest(&self, fixed: &S::Fixed<'_>) -> Option<S> {
        self.newest.as_ref().map(|row| S::from_row(row, fixed))
    }

    pub(super) fn started(&self) -> Option<Timestamp> {
        self.newest.map(|_| timestamp(self.began))
    }

    /// The samples of the last `retention` before the newest one, from `since` on.
    pub(super) fn rows(&self, retention: Duration, since: Option<Timestamp>, fixed: &S::Fixed<'_>) -> Vec<S> {
        let Some(newest) = &self.newest else { return Vec::new() };
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let horizon = timestamp(newest[0].saturating_sub(retention));
        let from = since.map_or(horizon, |since| since.max(horizon));
        self.blocks
            .iter()
            .map(|block| &*block.bytes)
            .chain([self.filling.bytes()])
            .flat_map(Rows::of)
            .filter(|row| timestamp(row[0]) >= from)
            .map(|row| S::from_row(&row, fixed))
            .collect()
    }

    pub(super) fn front_arrival(&self) -> Option<Duration> {
        self.blocks.front().map(|block| block.last_arrival)
    }

    pub(super) fn born(&self) -> u64 {
        self.born
    }

    pub(super) fn last_arrival(&self) -> Duration {
        self.last_arrival
    }

    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
