//! What selectors mean. A selector that matches nothing is an error: it is a
//! typing error far more often than an intention.

mod suggestion;

use crate::{Instance, Miss, Refusal, State};
use process_model::{InstanceId, NodeName, ProcessName, Selector};
use std::collections::BTreeSet;

/// Several selectors.
pub struct Selection(Vec<Selector>);

impl Selection {
    /// Selectors as a user wrote them; none means everything.
    #[must_use]
    pub fn new(selectors: &[String]) -> Self {
        Self(selectors.iter().map(|text| Selector::new(text.as_str())).collect())
    }

    /// Selectors of which there has to be at least one.
    ///
    /// # Errors
    /// There is none.
    pub fn required(selectors: &[String]) -> Result<Self, Refusal> {
        if selectors.is_empty() { Err(Refusal::NoSelectors) } else { Ok(Self::new(selectors)) }
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// The processes that it names.
    ///
    /// # Errors
    /// `NotFound` with every selector that names none.
    pub fn processes(&self, state: &State) -> Result<Vec<ProcessName>, Refusal> {
        let mut found = BTreeSet::new();
        let mut misses = Vec::new();
        for selector in &self.0 {
            let before = found.len();
            let mut hit = false;
            for name in state.processes.keys().filter(|name| selector.matches(name.as_str())) {
                hit = true;
                found.insert(name.clone());
            }
            if !hit && before == found.len() {
                misses.push(miss(state, selector, Kind::Processes));
            }
        }
        if self.is_everything() {
            found.extend(state.processes.keys().cloned());
        }
        if misses.is_empty() { Ok(found.into_iter().collect()) } else { Err(Refusal::NotFound(misses)) }
    }

    /// The instances that it names, those being removed left out. A process
    /// without instances is found, and has none.
    ///
    /// # Errors
    /// `NotFound` with every selector that names no process and no instance.
    pub fn instances(&self, state: &State) -> Result<Vec<InstanceId>, Refusal> {
        let mut found = BTreeSet::new();
        let mut misses = Vec::new();
        for selector in &self.0 {
            let hit = if selector.is_literal() {
                named(state, selector.as_str(), &mut found)
            } else {
                matching(state, selector, &mut found)
            };
            if !hit {
                misses.push(miss(state, selector, Kind::Instances));
            }
        }
        if self.is_everything() {
            found.extend(state.instances.values().filter(|i| is_there(i)).map(|i| i.id.clone()));
        }
        if misses.is_empty() { Ok(found.into_iter().collect()) } else { Err(Refusal::NotFound(misses)) }
    }
}

impl Selection {
    /// The nodes that it names.
    ///
    /// # Errors
    /// `NotFound` with every selector that names none.
    pub fn nodes(&self, state: &State) -> Result<Vec<NodeName>, Refusal> {
        let mut found = BTreeSet::new();
        let mut misses = Vec::new();
        for selector in &self.0 {
            let mut named = state.nodes.keys().filter(|node| selector.matches(node.as_str())).peekable();
            if named.peek().is_none() {
                misses.push(miss(state, selector, Kind::Nodes));
            }
            found.extend(named.cloned());
        }
        if self.is_everything() {
            found.extend(state.nodes.keys().cloned());
        }
        if misses.is_empty() { Ok(found.into_iter().collect()) } else { Err(Refusal::NotFound(misses)) }
    }
}

/// What is being removed is not; what only goes to another node is.
fn is_there(instance: &Instance) -> bool {
    !instance.removing || instance.moving.is_some()
}

/// A plain name that is a process's means that process only: with processes
/// `web` and `web-1`, `stop web-1` leaves the first instance of `web` alone.
fn named(state: &State, text: &str, found: &mut BTreeSet<InstanceId>) -> bool {
    let process = text.parse().ok().filter(|name: &ProcessName| state.processes.contains_key(name));
    if let Some(name) = process {
        found.extend(state.instances_of(&name).filter(|i| is_there(i)).map(|i| i.id.clone()));
        return true;
    }
    let instance = text.parse().ok().and_then(|id: InstanceId| state.instances.get(&id)).filter(|i| is_there(i));
    found.extend(instance.map(|i| i.id.clone()));
    instance.is_some()
}

fn matching(state: &State, pattern: &Selector, found: &mut BTreeSet<InstanceId>) -> bool {
    let mut hit = state.processes.keys().any(|name| pattern.matches(name.as_str()));
    for instance in state.instances.values().filter(|i| is_there(i) && pattern.selects_instance(&i.id)) {
        hit = true;
        found.insert(instance.id.clone());
    }
    hit
}

/// There is no process of this name.
pub(crate) fn no_process(state: &State, name: &str) -> Refusal {
    Refusal::NotFound(vec![miss(state, &Selector::new(name), Kind::Processes)])
}

enum Kind {
    Processes,
    Instances,
    Nodes,
}

fn miss(state: &State, selector: &Selector, kind: Kind) -> Miss {
    let text = selector.as_str();
    let suggestion = match kind {
        // An instance cannot be deleted by itself; its process can.
        Kind::Processes => (text.parse::<InstanceId>().ok())
            .filter(|id| state.instances.contains_key(id) && state.processes.contains_key(&id.process))
            .map(|id| id.process.to_string())
            .or_else(|| suggestion::closest(text, state.processes.keys().map(ToString::to_string))),
        Kind::Nodes => suggestion::closest(text, state.nodes.keys().map(ToString::to_string)),
        Kind::Instances => {
            let ids = state.instances.values().filter(|i| is_there(i)).map(|i| i.id.to_string());
            suggestion::closest(text, state.processes.keys().map(ToString::to_string).chain(ids))
        }
    };
    Miss { selector: text.chars().take(100).collect(), suggestion }
}
