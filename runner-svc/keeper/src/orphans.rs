//! Whose processes are those that lost their parent.
//!
//! The keeper is the sub-reaper of all instances (PR_SET_CHILD_SUBREAPER,
//! prctl(2)): whoever loses its parent becomes its child. So its children are
//! the main processes and the orphans, and everybody else of a run descends
//! from one of them: a run whose main process was collected is over when no
//! living orphan is of it.
//!
//! A look at the orphans is sure when nobody on the list had ended since it
//! was read: a process hands on its children in the moment in which it ends,
//! so the children of those who had ended before are on the list themselves.
//! Therefore: read the list, and read it again as long as somebody new has
//! ended; the ended stay on it until they are collected.

use crate::diary::say;
use crate::mark::Marks;
use crate::tree::{self, Look, OwnChildren, Stat};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Readings of one look. More than one is rare, three are a storm of forks.
const READINGS: usize = 16;

/// A run that an orphan may be of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) run: u64,
    /// Its main process, which made a session and a group of this number.
    pub(crate) main: u32,
    /// When that began: whoever is older is of another run.
    pub(crate) start_time: u64,
    pub(crate) instance: &'a str,
}

/// Who an orphan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Run(u64),
    /// Nobody can tell as yet; that has been said.
    Unknown,
}

/// What is known of the orphans.
#[derive(Debug)]
pub(crate) struct Orphans {
    children: OwnChildren,
    marks: Marks,
    /// Learned at earlier looks; a run is good until collected, since numbers
    /// of uncollected processes are not used again.
    owners: BTreeMap<u32, Owner>,
}

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Living orphans of the runs that were asked about.
    pub(crate) of_run: BTreeMap<u64, Vec<u32>>,
    /// Living orphans of which nobody can tell whose they are.
    pub(crate) strangers: Vec<u32>,
    /// Whether these are certainly all.
    pub(crate) sure: bool,
}

impl Survey {
    /// Whether certainly nobody of a run without main process is left.
    pub(crate) fn is_empty(&self, run: u64) -> bool {
        self.sure && !self.of_run.contains_key(&run)
    }
}

impl Orphans {
    pub(crate) fn new(marks: Marks) -> Self {
        Self { children: OwnChildren::new(), marks, owners: BTreeMap::new() }
    }

    /// Takes in that a child was collected: its number is free.
    pub(crate) fn collected(&mut self, pid: u32) {
        self.owners.remove(&pid);
    }

    /// Looks at the orphans of the runs `about`. `mains` are the children that
    /// are no orphans, `runs` those that are not over.
    pub(crate) fn survey<'a>(
        &mut self,
        mains: &BTreeMap<u32, u64>,
        runs: impl Iterator<Item = Candidate<'a>> + Clone,
        about: impl Fn(u64) -> bool,
    ) -> Survey {
        let mut ended = BTreeSet::new();
        let mut survey = Survey::default();
        for _ in 0..READINGS {
            let Ok(mut children) = self.children.read() else { return Survey::default() };
            children.retain(|pid| !mains.contains_key(pid));
            survey = Survey { sure: true, ..Survey::default() };
            for pid in children {
                let known = self.owners.get(&pid).copied();
                if let Some(Owner::Run(run)) = known
                    && !about(run)
                {
                    // Neither its life nor its children's tells anything about those asked about.
                    continue;
                }
                match tree::look(pid) {
                    Look::Alive(stat) => {
                        let owner = match known {
                            Some(Owner::Run(run)) => Owner::Run(run),
                            // It may have been between two programs, and without environment, when it was seen before.
                            Some(Owner::Unknown) | None => self.learn(pid, stat, runs.clone()),
                        };
                        match owner {
                            Owner::Run(run) if about(run) => survey.of_run.entry(run).or_default().push(pid),
                            Owner::Run(_) => {}
                            Owner::Unknown => {
                                survey.strangers.push(pid);
                                survey.sure &= known.is_some();
                            }
                        }
                    }
                    Look::Ended => survey.sure &= !ended.insert(pid),
                    // An uncollected child cannot be gone: the kernel did not tell.
                    Look::Gone | Look::Unknown => survey.sure = false,
                }
            }
            if survey.sure {
                break;
            }
        }
        survey
    }

    fn learn<'a>(&mut self, pid: u32, stat: Stat, runs: impl Iterator<Item = Candidate<'a>> + Clone) -> Owner {
        let owner = match self.marks.run_of(pid) {
            Some(run) => Owner::Run(run),
            None => guess(stat, instance_of(pid).as_deref(), runs),
        };
        if self.owners.insert(pid, owner) != Some(owner) && owner == Owner::Unknown {
            say!("pid {pid} lost its parent, and nobody can tell which instance it is of");
        }
        owner
    }
}

/// Whose an orphan without a mark is: by session or group, by environment, or
/// because there is only one run that it can be of.
fn guess<'a>(stat: Stat, instance: Option<&str>, runs: impl Iterator<Item = Candidate<'a>> + Clone) -> Owner {
    let candidates = runs.filter(|run| stat.start_time >= run.start_time);
    let by_session = candidates.clone().find(|run| stat.session == run.main || stat.group == run.main);
    let by_environment = || candidates.clone().filter(|run| Some(run.instance) == instance).last();
    let alone = || candidates.clone().next().filter(|_| candidates.clone().nth(1).is_none());
    by_session.or_else(by_environment).or_else(alone).map_or(Owner::Unknown, |run| Owner::Run(run.run))
}

/// The instance whose environment a process was started with.
fn instance_of(pid: u32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let name = environment.split(|b| *b == 0).find_map(|entry| entry.strip_prefix(b"PM_INSTANCE="))?;
    String::from_utf8(name.to_vec()).ok()
}

#[cfg(test)]
#[path = "orphans_tests.rs"]
mod tests;
