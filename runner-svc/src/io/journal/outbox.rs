//! Reports that the registry has not confirmed, by sequence number.
//!
//! A registry may be away for days while programs crash and restart. Beyond a
//! limit, what a later report of the same subject has made out of date goes
//! first, oldest first, and is counted. What the registry must learn stays at
//! any length: the newest report of each instance and action, that an
//! instance is gone, how an action ended, and of each instance as many runs as
//! the registry keeps. Their number is bounded by what the registry itself has
//! assigned and ordered.

use super::Reported;
use process_model::InstanceId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Reports beyond which out-of-date ones go: at a restart each minute still
/// days of history of a node.
pub(super) const LIMIT: usize = 10_000;

/// Runs of an instance that are kept beyond it: those that the registry keeps.
/// A run has two reports at most, and only the last one counts.
const RUNS: usize = 20;

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Instance(InstanceId),
    Action(String),
    /// A run of an instance, by its id; one that was not begun, by its report.
    Run(InstanceId, RunKey),
}

/// Which run of an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum RunKey {
    Begun(u64),
    LeftOut(u64),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Outbox {
    reports: BTreeMap<u64, Reported>,
    /// The newest report of each subject.
    newest: BTreeMap<Subject, u64>,
    /// Reports that a newer one has made out of date.
    outdated: BTreeSet<u64>,
    /// The newest runs of each instance, oldest first, by their last report.
    runs: BTreeMap<InstanceId, VecDeque<u64>>,
    /// Of each action that has ended, the newest report that says so.
    ended: BTreeMap<String, u64>,
    /// How many reports of an instance went since the last confirmed one.
    dropped: BTreeMap<InstanceId, u64>,
}

impl Outbox {
    pub(super) fn insert(&mut self, seq: u64, report: Reported) {
        let stays = outlasts(&report);
        let before = self.newest.insert(subject(seq, &report), seq);
        if let Reported::Action(report) = &report
            && stays
        {
            self.ended.insert(report.action.clone(), seq);
        }
        if let Reported::Run(run) = &report {
            let runs = self.runs.entry(run.instance.clone()).or_default();
            runs.retain(|one| Some(*one) != before);
            runs.push_back(seq);
            if runs.len() > RUNS {
                self.outdated.extend(runs.pop_front());
            }
        }
        if let Some(before) = before {
            // That something ended is not replaced by what came after it, but by hearing it again.
            if stays || !self.reports.get(&before).is_some_and(outlasts) {
                self.outdated.insert(before);
            }
        }
        self.reports.insert(seq, report);
        if self.reports.len() > LIMIT {
            self.drop_one();
        }
    }

    fn drop_one(&mut self) {
        let Some(seq) = self.outdated.pop_first() else { return };
        let Some(report) = self.reports.remove(&seq) else { return };
        let subject = subject(seq, &report);
        if self.newest.get(&subject) == Some(&seq) {
            self.newest.remove(&subject);
        }
        match report {
            Reported::Instance(report) => self.count_dropped(report.instance, 1),
            // How it ended is what counts, and that is still there.
            Reported::Action(_) => {}
            // What is left of its runs is more than the registry keeps, or says how it ended.
            Reported::Run(_) => {}
        }
    }

    pub(super) fn count_dropped(&mut self, instance: InstanceId, count: u64) {
        if self.dropped.is_empty() {
            tracing::warn!(limit = LIMIT, "too many unconfirmed reports; dropping out-of-date ones");
        }
        *self.dropped.entry(instance).or_default() += count;
    }

    /// Everything up to `seq` is confirmed.
    pub(super) fn confirm(&mut self, seq: u64) {
        while let Some(entry) = self.reports.first_entry().filter(|entry| *entry.key() <= seq) {
            let (seq, report) = entry.remove_entry();
            let subject = subject(seq, &report);
            if self.newest.get(&subject) == Some(&seq) {
                self.newest.remove(&subject);
            }
            self.outdated.remove(&seq);
            match subject {
                Subject::Instance(instance) => drop(self.dropped.remove(&instance)),
                Subject::Run(instance, _) => self.forget_run(&instance, seq),
                Subject::Action(action) => {
                    if self.ended.get(&action) == Some(&seq) {
                        self.ended.remove(&action);
                    }
                }
            }
        }
    }

    /// Whether one of them says how an action ended. Asked for each order: a
    /// start of thousands brings thousands, with as many reports here.
    pub(super) fn has_ended(&self, action: &str) -> bool {
        self.ended.contains_key(action)
    }

    fn forget_run(&mut self, instance: &InstanceId, seq: u64) {
        let Some(runs) = self.runs.get_mut(instance) else { return };
        runs.retain(|one| *one != seq);
        if runs.is_empty() {
            self.runs.remove(instance);
        }
    }

    /// The oldest ones, in order. The first of an instance that had others
    /// before it says that they are missing.
    pub(super) fn oldest(&self, most: usize) -> Vec<(u64, Reported)> {
        let mut told = BTreeSet::new();
        let mut oldest: Vec<_> = self.reports.iter().take(most).map(|(seq, report)| (*seq, report.clone())).collect();
        for (_, report) in &mut oldest {
            if let Reported::Instance(report) = report
                && let Some(dropped) = self.dropped.get(&report.instance)
                && told.insert(report.instance.clone())
            {
                let gap = if report.message.is_empty() { "" } else { " " };
                report.message += &format!("{gap}({dropped} earlier reports were dropped while the registry was away)");
            }
        }
        oldest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    pub(super) fn reports(&self) -> impl Iterator<Item = (u64, &Reported)> {
        self.reports.iter().map(|(seq, report)| (*seq, report))
    }

    pub(super) fn dropped(&self) -> impl Iterator<Item = (&InstanceId, u64)> {
        self.dropped.iter().map(|(instance, count)| (instance, *count))
    }
}

fn subject(seq: u64, report: &Reported) -> Subject {
    match report {
        Reported::Instance(report) => Subject::Instance(report.instance.clone()),
        Reported::Action(report) => Subject::Action(report.action.clone()),
        Reported::Run(report) => {
            let key = if report.run == 0 { RunKey::LeftOut(seq) } else { RunKey::Begun(report.run) };
            Subject::Run(report.instance.clone(), key)
        }
    }
}

/// Whether the registry has to hear it, whatever came later.
fn outlasts(report: &Reported) -> bool {
    match report {
        Reported::Instance(report) => report.gone,
        Reported::Action(report) => report.state.is_final(),
        // What comes later of a run says all that was said before.
        Reported::Run(_) => false,
    }
}

#[cfg(test)]
mod tests;
