//! What the domain promises, seen from outside:
//!
//! | promise | seen where |
//! |---|---|
//! | equal positions have equal states, also after a restart or a snapshot | after each entry, on each replica |
//! | the invariants of the domain hold, the audit chain verifies | after each entry |
//! | a request has its effect once, however often it is repeated; a refused one has none | audit entries, by a reason that no repetition changes |
//! | an acknowledged request is in every later state | acknowledgements, reads, the end |
//! | no instance runs twice on one node; none but those that may be replaced while they run, on two | every program that begins |
//! | a node obeys no leader whose successor it has heard; who speaks for a term leads it | every order that is taken in |

use crate::rig::Oracle;
use process_model::audit::{AuditOutcome, Verifier};
use process_model::{InstanceId, NodeName};
use registry_domain::{State, invariants};
use runner_domain::Leadership;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// The process whose instances are placed elsewhere though they may run still.
pub(crate) const MAY_RUN_TWICE: &str = "web";

/// Events that a run should have seen.
const COUNTED: [&str; 4] = ["instance.replaced", "node.suspect", "cluster.brake_engaged", "cluster.brake_released"];

/// The judge; clones share it.
#[derive(Clone)]
pub(crate) struct Judge {
    pub(crate) oracle: Oracle,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// By index: the state's digest.
    digests: BTreeMap<u64, u64>,
    chain: Option<Verifier>,
    audited: u64,
    revision: u64,
    /// By reason: number and revision of the audit entry.
    deeds: BTreeMap<String, (u64, u64)>,
    acknowledged: BTreeSet<String>,
    refused: BTreeSet<String>,
    /// Reasons of which a copy was refused before one was done.
    turned_down: BTreeSet<String>,
    /// Programs that run: where, and as which run.
    runs: BTreeMap<(InstanceId, NodeName), u64>,
    obeyed: BTreeMap<NodeName, Leadership>,
    /// What was not yet as it should be, when it was last looked at.
    strays: Vec<String>,
}

impl Judge {
    pub(crate) fn new(oracle: Oracle) -> Self {
        Self { oracle, seen: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// A replica is in this state, by a snapshot.
    pub(crate) fn has(&self, (id, _): (u64, u64), index: u64, digest: u64) {
        let known = self.lock().digests.get(&index).copied();
        if known.is_some_and(|known| known != digest) {
            self.oracle.violated(format!("the snapshot of replica {id} up to {index} is another state than was there"));
        }
    }

    /// A replica has refused these, in an entry that it is about to show.
    pub(crate) fn turned_down(&self, reasons: Vec<String>) {
        let mut seen = self.lock();
        let first: Vec<String> = reasons.into_iter().filter(|reason| !seen.deeds.contains_key(reason)).collect();
        seen.turned_down.extend(first);
    }

    /// A replica has applied an entry.
    pub(crate) fn applied(&self, (id, _): (u64, u64), index: u64, digest: u64, state: &State) {
        self.oracle.mix(digest);
        let mut seen = self.lock();
        match seen.digests.get(&index) {
            Some(known) if *known == digest => return,
            Some(_) => {
                return self
                    .oracle
                    .violated(format!("replica {id} is in another state after {index} than others were"));
            }
            None => {}
        }
        seen.digests.insert(index, digest);
        // The first one there: who comes later is in the same state.
        let mut faults = invariants::broken(state);
        for number in seen.audited + 1..=state.meta().audited {
            faults.extend(seen.audit(state, number));
        }
        seen.audited = state.meta().audited;
        for (_, event) in state.events().range(seen.revision + 1..) {
            COUNTED.iter().filter(|kind| **kind == event.kind).for_each(|kind| self.oracle.count(kind));
        }
        seen.revision = state.revision();
        drop(seen);
        for fault in faults {
            self.oracle.violated(format!("after {index}: {fault}"));
        }
    }

    /// A client was told that it is done.
    pub(crate) fn acknowledged(&self, reason: &str, by: u64, revision: u64) {
        self.oracle.count("acknowledged");
        self.oracle.note(|| format!("{reason} acknowledged by {by} at {revision}"));
        let mut seen = self.lock();
        seen.acknowledged.insert(reason.to_owned());
        let deed = seen.deeds.get(reason).copied();
        if deed.is_none_or(|(_, at)| at != revision) {
            self.oracle.violated(format!("replica {by} acknowledges {reason} at {revision}, and its deed is {deed:?}"));
        }
    }

    /// A client was told that it was refused.
    pub(crate) fn refused(&self, reason: &str, by: u64, why: &str) {
        self.oracle.count("refused");
        self.oracle.note(|| format!("{reason} refused by {by}: {why}"));
        let mut seen = self.lock();
        seen.refused.insert(reason.to_owned());
        // A later copy may be done before the client hears that the first one was refused.
        if let Some(deed) = seen.deeds.get(reason).filter(|_| !seen.turned_down.contains(reason)) {
            self.oracle.violated(format!("replica {by} refuses {reason}, which was done: {deed:?}"));
        }
    }

    /// What is not yet as it should be; told when it has changed.
    pub(crate) fn last_seen(&self, strays: &[String]) {
        let mut seen = self.lock();
        if seen.strays != strays {
            strays.clone_into(&mut seen.strays);
            self.oracle.note(|| format!("not yet: {strays:#?}"));
        }
    }

    /// Everything that is acknowledged so far.
    pub(crate) fn so_far(&self) -> Vec<String> {
        self.lock().acknowledged.iter().cloned().collect()
    }

    /// A state has to have all of these.
    pub(crate) fn has_all(&self, id: u64, why: &str, reasons: &[String], state: &State) {
        let seen = self.lock();
        for reason in reasons {
            let entry = seen.deeds.get(reason).and_then(|(number, _)| state.audit().get(*number));
            if entry.is_none_or(|entry| entry.reason != *reason) {
                self.oracle.violated(format!("replica {id} does not have {reason}: {why}"));
            }
        }
    }

    /// A program begins.
    pub(crate) fn begins(&self, instance: &InstanceId, node: &NodeName, run: u64) {
        self.oracle.count("program began");
        let mut seen = self.lock();
        let may_be_twice = instance.process.as_str() == MAY_RUN_TWICE;
        let beside = |(other, at): &&(InstanceId, NodeName)| other == instance && (at == node || !may_be_twice);
        if let Some((_, at)) = seen.runs.keys().find(beside) {
            self.oracle.violated(format!("{instance} begins on {node} as {run}, and still runs on {at}"));
        }
        seen.runs.insert((instance.clone(), node.clone()), run);
    }

    /// It ended.
    pub(crate) fn ends(&self, instance: &InstanceId, node: &NodeName) {
        self.lock().runs.remove(&(instance.clone(), node.clone()));
    }

    /// Whether it runs there.
    pub(crate) fn runs(&self, instance: &InstanceId, node: &NodeName) -> bool {
        self.lock().runs.contains_key(&(instance.clone(), node.clone()))
    }

    /// What runs on nodes that do not have it.
    pub(crate) fn unwanted(&self, state: &State) -> Vec<String> {
        let seen = self.lock();
        let has = |(id, node): &&(InstanceId, NodeName)| {
            state.instances().get(id).is_none_or(|instance| instance.node.as_ref() != Some(node))
        };
        seen.runs.keys().filter(has).map(|(id, node)| format!("{id} runs on {node}, which does not have it")).collect()
    }

    /// A node takes an order in that was said in this name, by this replica if by one.
    pub(crate) fn obeys(&self, node: &NodeName, said: Leadership, by: Option<u64>) {
        let mut seen = self.lock();
        let highest = seen.obeyed.entry(node.clone()).or_default();
        if said < *highest {
            let highest = *highest;
            self.oracle.violated(format!("{node} obeys {said}, and has obeyed {highest}"));
            return;
        }
        *highest = said;
        if let Some(by) = by
            && self.oracle.leader_of(said.term).is_some_and(|leads| leads != by)
        {
            self.oracle.violated(format!("replica {by} orders in {said}, which it does not lead"));
        }
    }
}

impl Seen {
    /// A new entry of the audit log: what is wrong with it.
    fn audit(&mut self, state: &State, number: u64) -> Option<String> {
        let Some(entry) = state.audit().get(number) else { return Some(format!("audit entry {number} is not there")) };
        let chain = self.chain.get_or_insert_with(|| Verifier::new(state.meta().audit_anchor));
        if let Err(fault) = chain.check(entry) {
            return Some(format!("the audit chain is broken: {fault}"));
        }
        if entry.outcome != AuditOutcome::Accepted || !entry.reason.starts_with("wish ") {
            return None;
        }
        // A copy that was on its way when its connection broke may come after another copy was refused: refusals are not
        // remembered. Who asks once is told what is so.
        let refused = self.refused.contains(&entry.reason) || self.turned_down.contains(&entry.reason);
        if refused && entry.request_id.is_empty() {
            return Some(format!("{} was refused, and is done", entry.reason));
        }
        let before = self.deeds.insert(entry.reason.clone(), (number, entry.revision));
        before.map(|before| format!("{} is done twice: {before:?} and {number}", entry.reason))
    }
}
