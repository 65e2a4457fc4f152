//! Records, and the image that they add up to.

use super::MAX_REPORTS;
use crate::io::leftovers::MainProcess;
use process_model::{ActionReport, Assignment, InstanceId, InstanceReport};
use runner_domain::Memo;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One record. Read by later versions: variants and fields are only added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Record {
    Assigned(Assignment),
    Stepped {
        instance: InstanceId,
        memo: Memo,
        main: Option<MainProcess>,
    },
    Reported(Reported),
    Acknowledged(u64),
    Forgotten(InstanceId),
    Joined(String),
    Booted(String),
    /// First record of a rewritten file.
    Counters {
        next_seq: u64,
        newest_run: u64,
    },
}

/// A report that the registry has to confirm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Reported {
    Instance(InstanceReport),
    Action(ActionReport),
}

/// An instance in the journal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) assignment: Assignment,
    pub(crate) memo: Option<Memo>,
    pub(crate) main: Option<MainProcess>,
}

/// What all records add up to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Image {
    pub(super) instances: BTreeMap<InstanceId, Stored>,
    pub(super) reports: BTreeMap<u64, Reported>,
    /// Sequence number of the next report; also tells reports of an instance
    /// apart for ever.
    pub(super) next_seq: u64,
    pub(super) newest_run: u64,
    pub(super) cluster: Option<String>,
    pub(super) boot_id: Option<String>,
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
                    stored.memo = Some(memo);
                    stored.main = main;
                }
            }
            Record::Reported(mut report) => {
                self.next_seq += 1;
                if let Reported::Instance(report) = &mut report {
                    report.seq = self.next_seq;
                }
                self.reports.insert(self.next_seq, report);
                if self.reports.len() > MAX_REPORTS {
                    self.reports.pop_first();
                }
            }
            Record::Acknowledged(seq) => self.reports = self.reports.split_off(&(seq + 1)),
            Record::Forgotten(instance) => {
                self.instances.remove(&instance);
            }
            Record::Joined(cluster) => self.cluster = Some(cluster),
            Record::Booted(boot_id) => self.boot_id = Some(boot_id),
            Record::Counters { next_seq, newest_run } => {
                self.next_seq = self.next_seq.max(next_seq);
                self.newest_run = self.newest_run.max(newest_run);
            }
        }
    }

    fn assign(&mut self, assignment: Assignment) {
        match self.instances.get_mut(&assignment.instance) {
            Some(stored) => stored.assignment = assignment,
            None => {
                let instance = assignment.instance.clone();
                self.instances.insert(instance, Stored { assignment, memo: None, main: None });
            }
        }
    }

    /// Instances of a process share one spec in memory.
    fn share_spec(&self, assignment: &mut Assignment) {
        let before = self.instances.range(..&assignment.instance).next_back();
        if let Some((_, neighbour)) = before.filter(|(_, stored)| stored.assignment.spec == assignment.spec) {
            assignment.spec = neighbour.assignment.spec.clone();
        }
    }

    /// The fewest records that add up to this image.
    pub(super) fn records(&self) -> Vec<Record> {
        let first = self.reports.keys().next().map_or(self.next_seq, |seq| seq - 1);
        let mut records = vec![Record::Counters { next_seq: first, newest_run: self.newest_run }];
        records.extend(self.cluster.clone().map(Record::Joined));
        records.extend(self.boot_id.clone().map(Record::Booted));
        for (instance, stored) in &self.instances {
            records.push(Record::Assigned(stored.assignment.clone()));
            if let Some(memo) = stored.memo.clone() {
                records.push(Record::Stepped { instance: instance.clone(), memo, main: stored.main });
            }
        }
        records.extend(self.reports.values().cloned().map(Record::Reported));
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::{ActionState, Timestamp};

    fn action(id: &str) -> Record {
        let report =
            ActionReport { action: id.into(), state: ActionState::Done, message: String::new(), time: Timestamp(0) };
        Record::Reported(Reported::Action(report))
    }

    #[test]
    fn a_rewritten_image_goes_on_with_the_same_numbers() {
        let mut image = Image::default();
        for record in [action("a"), action("b"), Record::Acknowledged(1), action("c"), Record::Joined("x".into())] {
            image.apply(record);
        }
        let mut again = Image::default();
        image.records().into_iter().for_each(|record| again.apply(record));
        assert_eq!(again, image);
        assert_eq!(image.reports.keys().copied().collect::<Vec<_>>(), [2, 3]);
    }
}
