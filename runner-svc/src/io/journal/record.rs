//! Records, and the image that they add up to.

use super::frame;
use super::outbox::Outbox;
use crate::io::leftovers::MainProcess;
use process_model::spec::Dependency;
use process_model::{ActionReport, Assignment, Elsewhere, InstanceId, InstanceReport, RunReport};
use runner_domain::{Leadership, Memo};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// One record. Read by later versions: variants and fields are only added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Record {
    Assigned(Arc<Assignment>),
    Stepped {
        instance: InstanceId,
        memo: Memo,
        main: Option<MainProcess>,
    },
    /// The number is part of it: counting again must not give another one.
    Reported {
        seq: u64,
        report: Reported,
    },
    Acknowledged(u64),
    Forgotten(InstanceId),
    Joined(String),
    Booted(String),
    /// First record of a rewritten file.
    Counters {
        newest_seq: u64,
        newest_run: u64,
    },
    /// Reports that are missing from a rewritten file.
    Dropped {
        instance: InstanceId,
        count: u64,
    },
    /// The newest leader that this node has obeyed.
    Obeyed(Leadership),
    /// Addresses of all replicas of the registry, as the last leader said.
    Registries(Vec<String>),
    /// An action that must not be carried out twice.
    Began(String),
    /// What the registry said of other nodes.
    Heard {
        /// Whether `set` is all that there is.
        full: bool,
        set: Vec<(Dependency, Elsewhere)>,
    },
}

/// A report that the registry has to confirm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Reported {
    Instance(InstanceReport),
    Action(ActionReport),
    Run(RunReport),
}

/// An instance in the journal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) assignment: Arc<Assignment>,
    pub(crate) memo: Option<Memo>,
    pub(crate) main: Option<MainProcess>,
    /// What the memo is about, when the assignment is newer: nobody has
    /// compared the two yet.
    pub(crate) before: Option<Arc<Assignment>>,
}

/// What all records add up to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Image {
    /// Boxed: a tree that grows at its end is half empty.
    pub(super) instances: BTreeMap<InstanceId, Box<Stored>>,
    pub(super) outbox: Outbox,
    /// Sequence number of the newest report; also tells reports of an instance
    /// apart for ever.
    pub(super) newest_seq: u64,
    pub(super) newest_run: u64,
    pub(super) cluster: Option<String>,
    pub(super) boot_id: Option<String>,
    pub(super) leadership: Leadership,
    pub(super) registries: Vec<String>,
    /// Actions that began and have not ended.
    pub(super) begun: BTreeSet<String>,
    /// How what is depended on stood on other nodes.
    pub(super) elsewhere: BTreeMap<Dependency, Elsewhere>,
}

impl Image {
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Assigned(mut assignment) => {
                self.share_spec(&mut assignment);
                self.assign(assignment);
            }
            Record::Stepped { instance, memo, main } => {
                self.newest_run = self.newest_run.max(memo.run.map_or(0, |run| run.0));
                if let Some(stored) = self.instances.get_mut(&instance) {
                    stored.before.take_if(|_| memo.generation >= stored.assignment.generation);
                    stored.memo = Some(memo);
                    stored.main = main;
                }
            }
            Record::Reported { seq, report } => {
                self.count_from(seq);
                if let Reported::Action(action) = &report
                    && action.state.is_final()
                {
                    self.begun.remove(&action.action);
                }
                self.outbox.insert(seq, report);
            }
            Record::Acknowledged(seq) => self.outbox.confirm(seq),
            Record::Forgotten(instance) => {
                self.instances.remove(&instance);
            }
            Record::Joined(cluster) => self.cluster = Some(cluster),
            Record::Booted(boot_id) => self.boot_id = Some(boot_id),
            Record::Counters { newest_seq, newest_run } => {
                self.count_from(newest_seq);
                self.newest_run = self.newest_run.max(newest_run);
            }
            Record::Dropped { instance, count } => self.outbox.count_dropped(instance, count),
            Record::Obeyed(leadership) => self.leadership = self.leadership.max(leadership),
            Record::Registries(addresses) => self.registries = addresses,
            Record::Began(action) => drop(self.begun.insert(action)),
            Record::Heard { full, set } => {
                if full {
                    self.elsewhere.clear();
                }
                self.elsewhere.extend(set);
            }
        }
    }

    /// Reports from now on have numbers above `seq`.
    pub(super) fn count_from(&mut self, seq: u64) {
        self.newest_seq = self.newest_seq.max(seq);
    }

    /// The record of a new report, with the next number.
    pub(super) fn numbered(&self, mut report: Reported) -> Record {
        let seq = self.newest_seq.saturating_add(1);
        match &mut report {
            Reported::Instance(report) => report.seq = seq,
            Reported::Run(report) => report.seq = seq,
            Reported::Action(_) => {}
        }
        Record::Reported { seq, report }
    }

    /// The record that brings what is known of other nodes to this; `None`:
    /// there is nothing new in it.
    pub(super) fn hears(&self, now: &BTreeMap<Dependency, Elsewhere>) -> Option<Record> {
        let full = self.elsewhere.keys().any(|dependency| !now.contains_key(dependency));
        let kept = now.iter().map(|(dependency, elsewhere)| {
            // A node that falls silent takes nothing back: after a power cut here, the last word counts.
            let before = self.elsewhere.get(dependency).filter(|_| elsewhere.is_silent());
            (dependency, before.unwrap_or(elsewhere))
        });
        let news = kept.filter(|(dependency, elsewhere)| full || self.elsewhere.get(*dependency) != Some(*elsewhere));
        let set: Vec<_> = news.map(|(dependency, elsewhere)| (dependency.clone(), elsewhere.clone())).collect();
        (full || !set.is_empty()).then_some(Record::Heard { full, set })
    }

    fn assign(&mut self, assignment: Arc<Assignment>) {
        match self.instances.get_mut(&assignment.instance) {
            Some(stored) => {
                let old = std::mem::replace(&mut stored.assignment, assignment);
                if stored.memo.is_some() && old.generation != stored.assignment.generation {
                    stored.before.get_or_insert(old);
                }
            }
            None => {
                let instance = assignment.instance.clone();
                self.instances.insert(instance, Box::new(Stored { assignment, memo: None, main: None, before: None }));
            }
        }
    }

    /// Instances of a process share one spec in memory.
    fn share_spec(&self, assignment: &mut Arc<Assignment>) {
        let before = self.instances.range(..&assignment.instance).next_back();
        let Some((_, neighbour)) = before else { return };
        let (spec, theirs) = (&assignment.spec, &neighbour.assignment.spec);
        if !Arc::ptr_eq(spec, theirs) && spec == theirs {
            Arc::make_mut(assignment).spec = theirs.clone();
        }
    }

    /// The fewest records that add up to this image.
    fn records(&self) -> Vec<Record> {
        let mut records = vec![Record::Counters { newest_seq: self.newest_seq, newest_run: self.newest_run }];
        records.extend(self.cluster.clone().map(Record::Joined));
        records.extend(self.boot_id.clone().map(Record::Booted));
        if self.leadership != Leadership::default() {
            records.push(Record::Obeyed(self.leadership));
        }
        if !self.registries.is_empty() {
            records.push(Record::Registries(self.registries.clone()));
        }
        records.extend(self.begun.iter().cloned().map(Record::Began));
        if !self.elsewhere.is_empty() {
            records.push(Record::Heard { full: true, set: self.elsewhere.clone().into_iter().collect() });
        }
        for (instance, stored) in &self.instances {
            let followed = stored.before.as_ref().unwrap_or(&stored.assignment);
            records.push(Record::Assigned(followed.clone()));
            if let Some(memo) = stored.memo.clone() {
                records.push(Record::Stepped { instance: instance.clone(), memo, main: stored.main });
            }
            if stored.before.is_some() {
                records.push(Record::Assigned(stored.assignment.clone()));
            }
        }
        let dropped = self.outbox.dropped();
        records.extend(dropped.map(|(instance, count)| Record::Dropped { instance: instance.clone(), count }));
        let reports = self.outbox.reports();
        records.extend(reports.map(|(seq, report)| Record::Reported { seq, report: report.clone() }));
        records
    }

    /// The same as bytes of a file.
    pub(super) fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for record in self.records() {
            frame::encode(&record, &mut bytes)?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::spec::Condition;
    use process_model::{ActionState, Phase, Timestamp, Unmet};

    fn action(id: &str) -> Reported {
        Reported::Action(ActionReport {
            action: id.into(),
            state: ActionState::Done,
            message: String::new(),
            time: Timestamp(0),
        })
    }

    fn needed(process: &str) -> Dependency {
        Dependency { process: process.parse().unwrap(), condition: Condition::Log("up".into()) }
    }

    fn unmet(phase: Phase) -> Elsewhere {
        let (instance, node) = ("db-1".parse().unwrap(), Some("alpha".parse().unwrap()));
        Elsewhere { exists: true, unmet: Some(Unmet { instance, node, phase, comes_again: false }) }
    }

    /// Takes in that this is so now; returns how much had to be written.
    fn hears(image: &mut Image, now: &[(Dependency, Elsewhere)]) -> usize {
        let Some(record) = image.hears(&now.iter().cloned().collect()) else { return 0 };
        let mut bytes = Vec::new();
        frame::encode(&record, &mut bytes).unwrap();
        let read: Record = rmp_serde::from_slice(frame::first(&bytes).unwrap().0).unwrap();
        assert_eq!(read, record);
        let Record::Heard { set, .. } = &record else { panic!("{record:?}") };
        let written = set.len();
        image.apply(record);
        written
    }

    #[test]
    fn what_is_heard_of_other_nodes_is_written_once_and_no_silence_takes_it_back() {
        let met = Elsewhere { exists: true, unmet: None };
        let (db, cache) = ((needed("db"), met.clone()), (needed("cache"), met.clone()));
        let mut image = Image::default();
        assert_eq!(hears(&mut image, &[db.clone(), cache.clone()]), 2);
        assert_eq!(hears(&mut image, &[db.clone(), cache.clone()]), 0);
        assert_eq!(hears(&mut image, &[(needed("db"), unmet(Phase::Lost)), cache.clone()]), 0);
        assert_eq!(image.elsewhere[&needed("db")], met, "nobody knows better");
        assert_eq!(hears(&mut image, &[(needed("db"), unmet(Phase::Failed)), cache]), 1);
        assert_eq!(image.elsewhere[&needed("db")], unmet(Phase::Failed));
        assert_eq!(hears(&mut image, &[db]), 1);
        assert_eq!(image.elsewhere.len(), 1, "what is needed no more is forgotten");
    }

    fn report(image: &mut Image, id: &str) {
        image.apply(image.numbered(action(id)));
    }

    #[test]
    fn a_rewritten_image_goes_on_with_the_same_numbers() {
        let mut image = Image::default();
        image.count_from(100);
        report(&mut image, "a");
        report(&mut image, "b");
        image.apply(Record::Acknowledged(101));
        image.apply(Record::Began("c".into()));
        report(&mut image, "c");
        image.apply(Record::Joined("x".into()));
        image.apply(Record::Obeyed(Leadership { epoch: 1, term: 7 }));
        image.apply(Record::Obeyed(Leadership { epoch: 0, term: 9 }));
        image.apply(Record::Registries(vec!["http://a:1".into()]));
        image.apply(Record::Began("d".into()));
        image.apply(Record::Heard { full: false, set: vec![(needed("db"), unmet(Phase::Starting))] });
        image.apply(Record::Dropped { instance: "web-1".parse().unwrap(), count: 7 });
        let mut again = Image::default();
        image.records().into_iter().for_each(|record| again.apply(record));
        assert_eq!(again, image);
        assert_eq!(image.begun, BTreeSet::from(["d".to_owned()]), "c has ended");
        assert_eq!(image.leadership, Leadership { epoch: 1, term: 7 }, "an earlier one is not obeyed again");
        assert_eq!(image.outbox.reports().map(|(seq, _)| seq).collect::<Vec<_>>(), [102, 103]);
    }

    #[test]
    fn a_confirmation_of_the_highest_number_there_is_confirms_everything() {
        let mut image = Image::default();
        report(&mut image, "a");
        image.apply(Record::Acknowledged(u64::MAX));
        assert!(image.outbox.is_empty());
        report(&mut image, "b");
        assert!(!image.outbox.is_empty());
    }
}
