//! What instances of a node wait for, and in which order they are stopped.
//!
//! Enters: specs and views of the instances here, and which lines of output
//! were seen. Leaves: for each instance with dependencies what it waits for, in
//! words; and the order of a stop. Everything is about one node: a process
//! without an instance here is waited for, and the words say so.
//!
//! What is said stays the same while the same is waited for, so that telling it
//! only on change tells it once. A circle is no special case: those on it wait
//! for each other, the words name it, and nobody else is held up by it more
//! than by anything else that does not run.

use crate::View;
use process_model::spec::{Condition, Dependency};
use process_model::{ExitStatus, InstanceId, Phase, ProcessName, ProcessSpec};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Reasons that are named; of more only the number.
const NAMED: usize = 3;

/// One instance of this node.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// Which.
    pub instance: &'a InstanceId,
    /// What it follows.
    pub spec: &'a ProcessSpec,
    /// What it is.
    pub view: &'a View,
}

/// For each instance that has dependencies: what it waits for, as the end of a
/// sentence that begins with "waits for"; `None` when for nothing (any more). `has_line` says whether an instance has written a line
/// with this regular expression since it was last started.
pub fn waiting<'a>(
    peers: &[Peer<'a>],
    has_line: impl Fn(&InstanceId, &str) -> bool,
) -> BTreeMap<&'a InstanceId, Option<String>> {
    let mut by_process: BTreeMap<&ProcessName, Vec<Peer<'a>>> = BTreeMap::new();
    for peer in peers {
        by_process.entry(&peer.instance.process).or_default().push(*peer);
    }
    let graph = Graph::of(peers.iter().map(|peer| peer.spec));
    // Instances of a process wait for the same.
    let mut said: BTreeMap<&ProcessName, Option<String>> = BTreeMap::new();
    let mut waiting = BTreeMap::new();
    for peer in peers.iter().filter(|peer| !peer.spec.depends_on.is_empty()) {
        let words = || {
            let reasons = peer.spec.depends_on.iter().filter_map(|dependency| {
                let others = by_process.get(&dependency.process).map_or(&[][..], Vec::as_slice);
                unmet(dependency, others, &has_line)
            });
            in_words(reasons.collect(), graph.circle(&peer.spec.name))
        };
        let words = said.entry(&peer.instance.process).or_insert_with(words);
        waiting.insert(peer.instance, words.clone());
    }
    waiting
}

fn in_words(reasons: Vec<String>, circle: Option<Vec<&ProcessName>>) -> Option<String> {
    if reasons.is_empty() {
        return None;
    }
    let mut words = reasons.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if reasons.len() > NAMED {
        words.push_str(&format!(" and {} more", reasons.len() - NAMED));
    }
    if let Some(circle) = circle {
        let names: Vec<&str> = circle.into_iter().map(ProcessName::as_str).collect();
        words.push_str(&format!("; they wait for each other: {}", names.join(" -> ")));
    }
    Some(words)
}

/// The first instance of the other process that is not as it has to be.
fn unmet(
    dependency: &Dependency,
    others: &[Peer<'_>],
    has_line: &impl Fn(&InstanceId, &str) -> bool,
) -> Option<String> {
    if others.is_empty() {
        return Some(format!("{}: no instance on this node", dependency.process));
    }
    let other = others.iter().find(|other| !is_met(&dependency.condition, other, has_line))?;
    let id = other.instance;
    let what = match &dependency.condition {
        Condition::Started => format!("{id} to run"),
        Condition::Ready => format!("{id} to be ready"),
        Condition::Completed => format!("{id} to end"),
        Condition::CompletedOk => format!("{id} to end with success"),
        Condition::Log(pattern) => format!("a line of {id} with {pattern:?}"),
    };
    // Only what lasts: what passes by itself would be told at each step.
    let but = match other.view.phase {
        Phase::Stopped if other.view.next_restart.is_none() => ", which is stopped",
        Phase::Failed => ", which has failed",
        Phase::Exited if other.view.next_restart.is_none() => ", which has ended",
        Phase::Stopped
        | Phase::Exited
        | Phase::Pending
        | Phase::Starting
        | Phase::Running
        | Phase::Backoff
        | Phase::Stopping
        | Phase::Lost => "",
    };
    Some(format!("{what}{but}"))
}

fn is_met(condition: &Condition, peer: &Peer<'_>, has_line: impl Fn(&InstanceId, &str) -> bool) -> bool {
    let view = peer.view;
    match condition {
        // What has ended with success has run; nobody should have to be quick enough to see it.
        Condition::Started => view.phase == Phase::Running || ended_well(peer),
        Condition::Ready => view.phase == Phase::Running && view.ready,
        Condition::Completed => has_ended(view),
        Condition::CompletedOk => ended_well(peer),
        // What was stopped on request, or has not come up again, is not there any more.
        Condition::Log(pattern) => {
            (view.phase == Phase::Running || has_ended(view)) && has_line(peer.instance, pattern)
        }
    }
}

/// Whether it has ended by itself and rests.
fn has_ended(view: &View) -> bool {
    let rests = match view.phase {
        Phase::Exited | Phase::Failed => true,
        // Between two runs of a schedule.
        Phase::Stopped | Phase::Pending => view.next_restart.is_some(),
        // It comes again: it has not ended for good.
        Phase::Backoff => false,
        Phase::Starting | Phase::Running | Phase::Stopping | Phase::Lost => false,
    };
    rests && view.last_exit.is_some()
}

fn ended_well(peer: &Peer<'_>) -> bool {
    let success = match &peer.view.last_exit {
        Some(ExitStatus::Code(0)) => true,
        Some(ExitStatus::Code(code)) => {
            u8::try_from(*code).is_ok_and(|code| peer.spec.restart.codes.success.contains(&code))
        }
        Some(ExitStatus::Signal(_) | ExitStatus::Unknown(_)) | None => false,
    };
    success && has_ended(peer.view)
}

/// Which process depends on which, of those that have an instance here.
#[derive(Debug, Default)]
pub struct Graph<'a> {
    needs: BTreeMap<&'a ProcessName, BTreeSet<&'a ProcessName>>,
}

impl<'a> Graph<'a> {
    /// From the specs of all instances; instances of one process may repeat it.
    pub fn of(specs: impl Iterator<Item = &'a ProcessSpec>) -> Self {
        let mut needs: BTreeMap<&ProcessName, BTreeSet<&ProcessName>> = BTreeMap::new();
        for spec in specs {
            needs.entry(&spec.name).or_default().extend(spec.depends_on.iter().map(|dependency| &dependency.process));
        }
        Self { needs }
    }

    fn needs_of(&self, process: &ProcessName) -> impl Iterator<Item = &'a ProcessName> + use<'a, '_> {
        self.needs.get(process).into_iter().flatten().copied()
    }

    /// The shortest way from a process back to itself, with it at both ends.
    #[must_use]
    pub fn circle(&self, process: &ProcessName) -> Option<Vec<&'a ProcessName>> {
        let (start, _) = self.needs.get_key_value(process)?;
        let mut came_from: BTreeMap<&ProcessName, &'a ProcessName> = BTreeMap::new();
        let mut open = VecDeque::from([*start]);
        while let Some(at) = open.pop_front() {
            for next in self.needs_of(at) {
                if next == *start {
                    let mut way = vec![*start, at];
                    while let Some(before) =
                        way.last().filter(|last| **last != *start).and_then(|last| came_from.get(*last))
                    {
                        way.push(before);
                    }
                    way.reverse();
                    if way.len() == 2 && at == *start {
                        // It needs itself.
                        return Some(vec![*start, *start]);
                    }
                    return Some(way);
                }
                if !came_from.contains_key(next) {
                    came_from.insert(next, at);
                    open.push_back(next);
                }
            }
        }
        None
    }

    /// Everything that a process needs, directly or through others.
    fn reach(&self, process: &'a ProcessName) -> BTreeSet<&'a ProcessName> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&'a ProcessName> = self.needs_of(process).collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(self.needs_of(next));
            }
        }
        reached
    }

    /// `processes` in the order of a stop: first those that none of the others
    /// needs, then what only those needed, and so on. Those that need each
    /// other go together.
    #[must_use]
    pub fn stop_order(&self, processes: BTreeSet<&'a ProcessName>) -> Vec<Vec<&'a ProcessName>> {
        let reach: BTreeMap<&ProcessName, BTreeSet<&ProcessName>> =
            processes.iter().map(|process| (*process, self.reach(process))).collect();
        let reaches = |from: &ProcessName, to: &ProcessName| reach.get(from).is_some_and(|reach| reach.contains(to));
        let mut left: Vec<&ProcessName> = processes.into_iter().collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let is_needed = |of: &ProcessName| left.iter().any(|by| reaches(by, of) && !reaches(of, by));
            // Never empty: to need one another without being needed back is an order, and an order has its greatest.
            let (now, later): (Vec<_>, Vec<_>) = left.iter().partition(|process| !is_needed(process));
            order.push(now);
            left = later;
        }
        order
    }
}

#[cfg(test)]
mod tests;
