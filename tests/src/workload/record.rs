//! What a load leaves, and the verdict over it. Enters: the history, what
//! became of each write, the audit log, the last state of each key. Leaves: a
//! proof, or what was broken.

use super::auditor::Audited;
use super::{Gaps, Load, Shared, WriteOutcome, Written};
use crate::linear::{self, History, Verdict};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::PoisonError;

/// What a load leaves.
#[derive(Debug)]
pub struct Record {
    load: Load,
    history: History,
    requests: Vec<Written>,
    faults: Vec<String>,
    outcomes: BTreeMap<String, usize>,
    generations: BTreeMap<String, u64>,
    audited: Audited,
    gaps: Gaps,
}

/// What was proved, in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Operations whose order was found.
    pub operations: usize,
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Writes whose outcome nobody knows, however often they were asked for.
    pub unknown: usize,
    /// Attempts that ended without an answer about the outcome.
    pub unanswered: usize,
}

impl Record {
    pub(super) fn new(shared: &Shared, generations: BTreeMap<String, u64>, audited: Audited) -> Self {
        let taken =
            |faults: &std::sync::Mutex<Vec<String>>| faults.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self {
            load: shared.load.clone(),
            history: shared.log.history(),
            requests: shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            faults: taken(&shared.faults),
            outcomes: shared.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            generations,
            audited,
            gaps: Gaps::of(shared.successes.borrow().clone()),
        }
    }

    /// The times without success.
    #[must_use]
    pub fn gaps(&self) -> &Gaps {
        &self.gaps
    }

    /// Attempts that were answered by this code, as `write: Unavailable`.
    #[must_use]
    pub fn outcomes(&self, kind: &str) -> usize {
        self.outcomes.get(kind).copied().unwrap_or(0)
    }

    /// The verdict: nothing acknowledged was lost, nothing done twice, nothing
    /// seen out of order, and no answer that must not be.
    ///
    /// # Errors
    /// All that was broken, or why nothing is proved.
    pub fn verdict(&self) -> Result<Proof, String> {
        let checks = [self.answers(), self.order(), self.changes(), self.audit(), self.figures().map(drop)];
        let broken: Vec<String> = checks.into_iter().filter_map(Result::err).collect();
        if broken.is_empty() { self.figures() } else { Err(broken.join("\n")) }
    }

    fn figures(&self) -> Result<Proof, String> {
        let with = |outcome| self.requests.iter().filter(|written| written.outcome == outcome).count();
        let decided = ["write: ok", "write: Aborted"];
        let unanswered = |kind: &str| kind.starts_with("write: ") && !decided.contains(&kind);
        let proof = Proof {
            operations: self.history.values().map(Vec::len).sum(),
            acknowledged: with(WriteOutcome::Done),
            unknown: with(WriteOutcome::Unknown),
            unanswered: self.outcomes.iter().filter(|(kind, _)| unanswered(kind)).map(|(_, count)| count).sum(),
        };
        if proof.acknowledged == 0 {
            return Err("nothing is proved: not one write was acknowledged".to_owned());
        }
        Ok(proof)
    }

    fn answers(&self) -> Result<(), String> {
        if self.faults.is_empty() {
            return Ok(());
        }
        let first = self.faults.iter().take(5).cloned().collect::<Vec<_>>().join("\n  ");
        Err(format!("{} answers that must not be:\n  {first}", self.faults.len()))
    }

    fn order(&self) -> Result<(), String> {
        match linear::check(&self.history) {
            Verdict::Linearizable => Ok(()),
            Verdict::Violated(found) => {
                Err(format!("the history of {} is not linearizable: {}", found.key, found.story))
            }
            Verdict::Undecided { key } => Err(format!("nothing is proved: too much is open about {key}")),
        }
    }

    /// The verdict, which has to be good; prints its figures.
    ///
    /// # Panics
    /// When something was broken, or nothing is proved.
    #[track_caller]
    pub fn is_good(&self) -> Proof {
        match self.verdict() {
            Ok(proof) => {
                println!("{self}");
                proof
            }
            Err(broken) => panic!("{broken}\n{self}"),
        }
    }

    /// A key was changed once for each write that was acknowledged, and at
    /// most once for each that nobody knows of: values are never the same, so
    /// each write is a change.
    fn changes(&self) -> Result<(), String> {
        for (key, generation) in &self.generations {
            let of = |outcome| self.requests.iter().filter(|w| w.key == *key && w.outcome == outcome).count() as u64;
            let (done, unknown) = (of(WriteOutcome::Done), of(WriteOutcome::Unknown));
            if !(done..=done + unknown).contains(generation) {
                return Err(format!(
                    "{key} was changed {generation} times by {done} acknowledged and {unknown} unknown writes"
                ));
            }
        }
        Ok(())
    }

    /// Each acknowledged request stands in the audit log once, and no other
    /// one more than once.
    fn audit(&self) -> Result<(), String> {
        if let Some(hole) = &self.audited.hole {
            return Err(format!("nothing is proved about the audit log: {hole}"));
        }
        for written in &self.requests {
            let entries = self.audited.requests.get(&written.request_id).map_or(&[][..], Vec::as_slice);
            let right = match written.outcome {
                WriteOutcome::Done => entries.len() == 1,
                WriteOutcome::Unknown => entries.len() <= 1,
                // Refused attempts may have entries of their own.
                WriteOutcome::Mismatch => true,
            };
            if !right {
                return Err(format!("{written:?} stands in the audit log at revisions {entries:?}"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { clients, keys, seed, .. } = &self.load;
        writeln!(f, "{clients} clients on {keys} keys, seed {seed}; answers: {:?}", self.outcomes)?;
        write!(f, "{}", self.gaps)
    }
}

#[cfg(test)]
mod tests;
