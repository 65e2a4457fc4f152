//! What instances of a node wait for.
//!
//! Enters: specs and views of the instances here, which lines of output were
//! seen, and what the registry last said of the instances on other nodes.
//! Leaves: for each instance with dependencies what it waits for, in words.
//! What is here is known here, and better than to the registry: that speaks of
//! the others alone. A process without an instance is waited for, and the
//! words say so.
//!
//! What is said stays the same while the same is waited for, so that telling it
//! only on change tells it once. A circle is no special case: those on it wait
//! for each other, the words name it, and nobody else is held up by it more
//! than by anything else that does not run.

use crate::View;
use process_model::spec::{Condition, Dependency, Needs, Standing};
use process_model::{Elsewhere, InstanceId, Phase, ProcessName, ProcessSpec, Unmet};
use std::collections::BTreeMap;

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
/// with this regular expression since it was last started; `elsewhere`: what
/// was last said of other nodes, where that ever was.
pub fn waiting<'a>(
    peers: &[Peer<'a>],
    has_line: impl Fn(&InstanceId, &str) -> bool,
    elsewhere: &BTreeMap<Dependency, Elsewhere>,
) -> BTreeMap<&'a InstanceId, Option<String>> {
    let mut by_process: BTreeMap<&ProcessName, Vec<Peer<'a>>> = BTreeMap::new();
    for peer in peers {
        by_process.entry(&peer.instance.process).or_default().push(*peer);
    }
    let graph = Needs::of(peers.iter().map(|peer| peer.spec));
    // Instances of a process wait for the same.
    let mut said: BTreeMap<&ProcessName, Option<String>> = BTreeMap::new();
    let mut waiting = BTreeMap::new();
    for peer in peers.iter().filter(|peer| !peer.spec.depends_on.is_empty()) {
        let words = || {
            let reasons = peer.spec.depends_on.iter().filter_map(|dependency| {
                let others = by_process.get(&dependency.process).map_or(&[][..], Vec::as_slice);
                unmet(dependency, others, &has_line, elsewhere.get(dependency))
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

/// The first instance of the other process that is not as it has to be, in
/// words: of those here, then of those elsewhere.
fn unmet(
    dependency: &Dependency,
    others: &[Peer<'_>],
    has_line: &impl Fn(&InstanceId, &str) -> bool,
    elsewhere: Option<&Elsewhere>,
) -> Option<String> {
    let here = others
        .iter()
        .find(|other| !standing(other).meets(&dependency.condition, |pattern| has_line(other.instance, pattern)));
    if let Some(other) = here {
        let comes_again = other.view.next_restart.is_some();
        return Some(words(&dependency.condition, &other.instance.to_string(), other.view.phase, comes_again));
    }
    match elsewhere {
        Some(Elsewhere { unmet: Some(unmet), .. }) => {
            Some(words(&dependency.condition, &place(unmet), unmet.phase, unmet.comes_again))
        }
        Some(Elsewhere { exists: true, unmet: None }) => None,
        Some(Elsewhere { exists: false, unmet: None }) if others.is_empty() => {
            Some(format!("{}: no instance on any node", dependency.process))
        }
        // Nobody has said: it may not have been asked.
        None if others.is_empty() => Some(format!("{}: no instance on this node", dependency.process)),
        Some(Elsewhere { exists: false, unmet: None }) | None => None,
    }
}

fn standing<'a>(peer: &Peer<'a>) -> Standing<'a> {
    let view = peer.view;
    Standing {
        phase: view.phase,
        ready: view.ready,
        last_exit: view.last_exit.as_ref(),
        comes_again: view.next_restart.is_some(),
        success: &peer.spec.restart.codes.success,
    }
}

fn place(unmet: &Unmet) -> String {
    match &unmet.node {
        Some(node) => format!("{} on node {node}", unmet.instance),
        None => format!("{}, which has no node yet,", unmet.instance),
    }
}

fn words(condition: &Condition, who: &str, phase: Phase, comes_again: bool) -> String {
    let what = match condition {
        Condition::Started => format!("{who} to run"),
        Condition::Ready => format!("{who} to be ready"),
        Condition::Completed => format!("{who} to end"),
        Condition::CompletedOk => format!("{who} to end with success"),
        Condition::Log(pattern) => format!("a line of {who} with {pattern:?}"),
    };
    // Only what lasts: what passes by itself would be told at each step.
    let but = match phase {
        Phase::Stopped if !comes_again => ", which is stopped",
        Phase::Failed => ", which has failed",
        Phase::Exited if !comes_again => ", which has ended",
        Phase::Lost => ", whose node is lost",
        Phase::Stopped
        | Phase::Exited
        | Phase::Pending
        | Phase::Starting
        | Phase::Running
        | Phase::Backoff
        | Phase::Stopping => "",
    };
    format!("{what}{but}")
}

#[cfg(test)]
mod tests;
