//! Random requests against a plain list, with closings, crashes and other
//! settings in between: after each step the log holds what the list holds.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use proptest::prelude::*;
use registry_log::{Limit, Log, ReadError, Settings, Vote, Write};
use std::path::{Path, PathBuf};
use support::model::Model;
use support::{EVERYTHING, at, copy, entries, entry, fresh, open, real_disk, small, write};

#[derive(Debug, Clone)]
enum Step {
    /// Entries of these lengths, in one request.
    Append(Vec<usize>),
    /// So many entries from the end.
    Truncate(u64),
    /// This part of the entries, in percent.
    Purge(u64),
    /// So far beyond the end.
    PurgeBeyond(u64),
    Vote(u64),
    Committed,
    /// Many requests at once, waited for together.
    Burst(u8),
    Reopen {
        tail_bytes: usize,
    },
    /// Opened from what a killed process would leave.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => proptest::collection::vec(0..3000_usize, 1..8).prop_map(Step::Append),
        1 => Just(Step::Append(vec![40_000])),
        3 => (0..12_u64).prop_map(Step::Truncate),
        3 => (0..110_u64).prop_map(Step::Purge),
        1 => (1..9_u64).prop_map(Step::PurgeBeyond),
        2 => any::<u64>().prop_map(Step::Vote),
        1 => Just(Step::Committed),
        3 => (2..30_u8).prop_map(Step::Burst),
        2 => prop_oneof![Just(0), Just(5_000), Just(1 << 20)].prop_map(|tail_bytes| Step::Reopen { tail_bytes }),
        2 => Just(Step::Crash),
    ]
}

struct World {
    log: Option<Log>,
    model: Model,
    home: PathBuf,
    dir: PathBuf,
    settings: Settings,
    term: u64,
    crashes: u32,
}

impl World {
    fn new(home: &Path) -> Self {
        let (dir, settings) = (home.join("log"), small());
        let log = Some(fresh(&dir, &settings));
        Self { log, model: Model::default(), home: home.to_owned(), dir, settings, term: 1, crashes: 0 }
    }

    fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    fn write(&mut self, request: Write) {
        self.model.apply(&request);
        write(self.log(), request);
    }

    fn take(&mut self, step: Step) {
        let next = self.model.next();
        match step {
            Step::Append(lengths) => {
                let made = (next..).zip(&lengths).map(|(index, len)| entry(self.term, index, *len)).collect();
                self.write(Write::Append(made));
            }
            Step::Truncate(back) => {
                self.term += 1;
                let from = next.saturating_sub(back).max(self.model.purged.map_or(0, |purged| purged.index + 1));
                self.write(Write::Truncate { from });
            }
            Step::Purge(percent) => {
                let len = self.model.entries.len() as u64;
                let Some(upto) = self.model.entries.get((len * percent / 110) as usize) else { return };
                let upto = upto.at;
                self.write(Write::Purge { upto });
            }
            Step::PurgeBeyond(far) => {
                self.term += 1;
                self.write(Write::Purge { upto: at(self.term, next + far) });
            }
            Step::Vote(random) => {
                let voted_for = (random % 3 > 0).then_some(random);
                self.write(Write::Vote(Vote { term: random / 2, voted_for, committed: random % 2 == 0 }));
            }
            Step::Committed => self.log().set_committed(self.model.last()),
            Step::Burst(count) => {
                let mut last = 0;
                for index in next..next + u64::from(count) {
                    let request = Write::Append(vec![entry(self.term, index, 300)]);
                    self.model.apply(&request);
                    last = self.log().submit(request, |done| assert!(done.is_ok())).unwrap();
                    // What was accepted can be read at once.
                    assert_eq!(self.log().read(index..index + 1, EVERYTHING).unwrap().len(), 1);
                }
                self.log().wait(last).unwrap();
            }
            Step::Reopen { tail_bytes } => {
                let committed = self.log().committed();
                self.log.take().unwrap().close().unwrap();
                self.settings.tail_bytes = tail_bytes;
                self.log = Some(open(&self.dir, &self.settings).unwrap().0);
                let clamped = committed.filter(|at| self.model.last().is_some_and(|last| at.index <= last.index));
                assert_eq!(self.log().committed(), clamped.or(committed.and(self.model.last())));
            }
            Step::Crash => {
                self.crashes += 1;
                let image = self.home.join(format!("crash-{}", self.crashes));
                self.copy_quietly(&image);
                drop(self.log.take());
                self.dir = image;
                self.log = Some(open(&self.dir, &self.settings).unwrap().0);
            }
        }
    }

    /// Copies a moment at which nobody makes or renames a segment: a copy of
    /// many files is no point in time.
    fn copy_quietly(&self, to: &Path) {
        loop {
            support::eventually("the next segment is there", || {
                let names = support::names(&self.dir);
                !names.contains(&"making.tmp".to_owned())
            });
            let before = (support::names(&self.dir), self.log().figures());
            let _ = std::fs::remove_dir_all(to);
            copy(&self.dir, to);
            let after = (support::names(&self.dir), self.log().figures());
            if before == after {
                return;
            }
        }
    }

    fn check(&self) {
        assert_eq!(Model::of(self.log()), self.model);
        let (first, end) = (self.model.entries.first().map(|entry| entry.at.index), self.model.next());
        if let Some(first) = first.filter(|first| *first > 0) {
            assert!(matches!(
                self.log().read(first - 1..end, EVERYTHING),
                Err(ReadError::Purged { first: said }) if said == first
            ));
        }
        let begin = first.unwrap_or(end);
        for (entries_, bytes) in [(3, usize::MAX), (usize::MAX, 4000), (1, 0)] {
            let got = self.log().read(begin..end, Limit { entries: entries_, bytes }).unwrap();
            assert_eq!(got, self.model.entries[..got.len()], "a read begins at its beginning");
            assert!(
                got.len() <= entries_
                    && (got.len() == 1 || got.iter().map(|e| e.payload.len()).sum::<usize>() <= bytes)
            );
            assert!(!got.is_empty() || self.model.entries.is_empty(), "a read never comes to nothing");
        }
        assert_eq!(self.log().read(end..end + 5, EVERYTHING).unwrap(), []);
        assert_eq!(self.log().durable().last, self.model.last());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn it_holds_what_a_plain_list_holds(steps in proptest::collection::vec(step(), 1..40)) {
        let home = real_disk();
        let mut world = World::new(home.path());
        for step in steps {
            world.take(step);
            world.check();
        }
        let dir = world.dir.clone();
        world.log().close().unwrap();
        let survey = registry_log::verify(&dir).unwrap();
        prop_assert_eq!(survey.extent, world.model.extent());
        prop_assert_eq!(survey.vote, world.model.vote);
        prop_assert_eq!(entries(world.log()).len(), world.model.entries.len());
    }
}
