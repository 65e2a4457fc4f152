//! Records by their numbers, which grow: events, audit entries, replies. There
//! are hundreds of thousands of them, new ones come at the end and the oldest
//! go first. A copy shares them, a run of them at a time, so that the state
//! can be frozen between two commands however much it remembers; a run that
//! is changed while a copy lives is copied then.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// Records in one run. A copy takes a pointer for each run, and a change after it copies one.
const RUN: usize = 512;

type Run<T> = VecDeque<(u64, Arc<T>)>;

/// Records by their numbers.
pub struct Series<T> {
    /// None is empty, and numbers grow from each to the next.
    runs: VecDeque<Arc<Run<T>>>,
    len: usize,
}

impl<T> Series<T> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The record of this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Arc<T>> {
        let run = self.runs.get(self.run_of(number)?)?;
        let place = run.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        run.get(place).map(|(_, record)| record)
    }

    /// The one with the lowest number.
    #[must_use]
    pub fn first(&self) -> Option<(u64, &Arc<T>)> {
        self.runs.front()?.front().map(|(number, record)| (*number, record))
    }

    /// The one with the highest number.
    #[must_use]
    pub fn last(&self) -> Option<(u64, &Arc<T>)> {
        self.runs.back()?.back().map(|(number, record)| (*number, record))
    }

    /// Those with these numbers, in their order.
    pub fn range(&self, numbers: impl RangeBounds<u64>) -> impl DoubleEndedIterator<Item = (u64, &Arc<T>)> {
        let begin = self.place(numbers.start_bound(), false);
        let end = self.place(numbers.end_bound(), true).max(begin);
        let runs = self.runs.range(begin.0..self.runs.len().min(end.0 + 1));
        runs.enumerate().flat_map(move |(n, run)| {
            let from = if n == 0 { begin.1 } else { 0 };
            let to = if begin.0 + n == end.0 { end.1 } else { run.len() };
            run.range(from..to).map(|(number, record)| (*number, record))
        })
    }

    /// All of them, in the order of their numbers.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Arc<T>)> {
        self.runs.iter().flat_map(|run| run.iter().map(|(number, record)| (*number, record)))
    }

    /// The same without the numbers.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<T>> {
        self.iter().map(|(_, record)| record)
    }

    /// Takes a record in, in any order of numbers; the one that had the number goes.
    pub(crate) fn insert(&mut self, number: u64, record: Arc<T>) {
        let ends = self.last().is_none_or(|(last, _)| last < number);
        if ends && self.runs.back().is_none_or(|run| run.len() >= RUN) {
            self.runs.push_back(Arc::new(Run::from([(number, record)])));
            self.len += 1;
            return;
        }
        let at = if ends { self.runs.len() - 1 } else { self.run_of(number).unwrap_or(0) };
        let Some(run) = self.runs.get_mut(at).map(Arc::make_mut) else { return };
        match run.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(place) => run[place].1 = record,
            Err(place) => {
                run.insert(place, (number, record));
                self.len += 1;
                if run.len() > RUN {
                    let rest = run.split_off(RUN / 2);
                    self.runs.insert(at + 1, Arc::new(rest));
                }
            }
        }
    }

    /// Takes a record out.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Arc<T>> {
        let at = self.run_of(number)?;
        let run = self.runs.get_mut(at)?;
        let place = run.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        let gone = Arc::make_mut(run).remove(place);
        if run.is_empty() {
            self.runs.remove(at);
        }
        self.len -= 1;
        gone.map(|(_, record)| record)
    }

    /// The run that has this number, if any has; none when all are higher.
    fn run_of(&self, number: u64) -> Option<usize> {
        // Who asks means the newest or the oldest most of the time.
        let begins = |run: &Arc<Run<T>>| run.front().is_some_and(|(first, _)| *first <= number);
        match self.runs.back() {
            Some(last) if begins(last) => Some(self.runs.len() - 1),
            Some(_) | None => self.runs.partition_point(begins).checked_sub(1),
        }
    }

    /// Where a range begins or ends: a run, and the place in it of the first record that is not before that.
    fn place(&self, bound: Bound<&u64>, ends: bool) -> (usize, usize) {
        let (number, excluded) = match bound {
            Bound::Unbounded if ends => return (self.runs.len(), 0),
            Bound::Unbounded => return (0, 0),
            Bound::Included(number) => (*number, ends),
            Bound::Excluded(number) => (*number, !ends),
        };
        let Some(at) = self.run_of(number) else { return (0, 0) };
        let before = |(one, _): &(u64, Arc<T>)| *one < number || excluded && *one == number;
        self.runs.get(at).map_or((at, 0), |run| (at, run.partition_point(before)))
    }
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self { runs: VecDeque::new(), len: 0 }
    }
}

impl<T> Clone for Series<T> {
    fn clone(&self) -> Self {
        Self { runs: self.runs.clone(), len: self.len }
    }
}

/// How it is cut into runs is no part of it.
impl<T: PartialEq> PartialEq for Series<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<T: fmt::Debug> fmt::Debug for Series<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Debug, Clone)]
    enum Step {
        /// The next number, or one further on.
        Append(u64),
        Insert(u64),
        Remove(u64),
        DropOldest(usize),
        Copy,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (1..3_u64).prop_map(Step::Append),
            2 => (0..3_000_u64).prop_map(Step::Insert),
            2 => (0..3_000_u64).prop_map(Step::Remove),
            1 => (1..700_usize).prop_map(Step::DropOldest),
            1 => Just(Step::Copy),
        ]
    }

    fn same(series: &Series<u64>, model: &BTreeMap<u64, u64>) {
        let all: Vec<(u64, u64)> = model.iter().map(|(k, v)| (*k, *v)).collect();
        assert!(series.iter().map(|(k, v)| (k, **v)).eq(all.iter().copied()));
        assert!(series.iter().rev().map(|(k, v)| (k, **v)).eq(all.iter().rev().copied()));
        assert_eq!(series.len(), all.len());
        assert_eq!(series.is_empty(), all.is_empty());
        assert_eq!(series.first().map(|(k, _)| k), all.first().map(|(k, _)| *k));
        assert_eq!(series.last().map(|(k, _)| k), all.last().map(|(k, _)| *k));
        assert!(series.runs.iter().all(|run| !run.is_empty() && run.len() <= RUN));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn it_is_a_map_whatever_comes_and_goes_and_a_copy_stays_as_it_was(
            steps in proptest::collection::vec(step(), 1..200),
            looks in proptest::collection::vec((0..3_500_u64, 0..3_500_u64), 20),
        ) {
            let (mut series, mut model) = (Series::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (serial, step) in steps.into_iter().enumerate() {
                let serial = serial as u64;
                match step {
                    Step::Append(by) => for n in 0..20 {
                        let number = model.last_key_value().map_or(0, |(last, _)| last + by);
                        series.insert(number, Arc::new(serial + n));
                        model.insert(number, serial + n);
                    },
                    Step::Insert(number) => {
                        series.insert(number, Arc::new(serial));
                        model.insert(number, serial);
                    }
                    Step::Remove(number) => {
                        prop_assert_eq!(series.remove(number).map(|gone| *gone), model.remove(&number));
                    }
                    Step::DropOldest(count) => for _ in 0..count {
                        let first = series.first().map(|(number, _)| number);
                        let gone = first.and_then(|first| series.remove(first)).map(|gone| *gone);
                        prop_assert_eq!(gone, model.pop_first().map(|(_, gone)| gone));
                    },
                    Step::Copy => copies.push((series.clone(), model.clone())),
                }
            }
            copies.push((series, model));
            for (series, model) in &copies {
                same(series, model);
                for (from, to) in &looks {
                    prop_assert_eq!(series.get(*from).map(|it| **it), model.get(from).copied());
                    let (from, to) = (*from.min(to), *from.max(to));
                    let of = |found: Vec<(u64, u64)>, range: (Bound<u64>, Bound<u64>)| {
                        let expected: Vec<_> = model.range(range).map(|(k, v)| (*k, *v)).collect();
                        let back: Vec<_> = series.range(range).rev().map(|(k, v)| (k, **v)).collect();
                        assert_eq!(found, expected, "{range:?}");
                        assert!(back.iter().rev().eq(&expected), "{range:?} backwards");
                    };
                    let ends = [Bound::Included(to), Bound::Excluded(to), Bound::Unbounded];
                    for begin in [Bound::Included(from), Bound::Excluded(from), Bound::Unbounded] {
                        for end in ends {
                            // What a map of the standard library does not take.
                            if from == to && matches!((begin, end), (Bound::Excluded(_), Bound::Excluded(_))) {
                                continue;
                            }
                            of(series.range((begin, end)).map(|(k, v)| (k, **v)).collect(), (begin, end));
                        }
                    }
                }
            }
            let (last, _) = copies.pop().unwrap();
            let rebuilt = last.iter().fold(Series::default(), |mut series, (number, record)| {
                series.insert(number, record.clone());
                series
            });
            prop_assert_eq!(last, rebuilt, "however it is cut");
        }
    }

    #[test]
    fn a_copy_shares_the_runs_and_a_change_copies_one() {
        let mut series = Series::default();
        (0..10 * RUN as u64).for_each(|number| series.insert(number, Arc::new(number)));
        let copy = series.clone();
        series.insert(10 * RUN as u64 - 1, Arc::new(0));
        let shared = series.runs.iter().zip(&copy.runs).filter(|(ours, theirs)| Arc::ptr_eq(ours, theirs)).count();
        assert_eq!((series.runs.len(), shared), (10, 9));
    }
}
