//! A stored node.

use process_model::{NodeName, Timestamp};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A server with a runner on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Whether it is heard from.
    pub state: NodeState,
    /// When that last changed.
    pub state_time: Timestamp,
    /// The kernel's boot id of its last session.
    pub boot_id: String,
    /// Version of its runner.
    pub runner_version: String,
    /// Processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// When it first connected.
    pub created: Timestamp,
    /// How often it was lost: tells one loss from another.
    #[serde(default)]
    pub losses: u64,
    /// When it was lost lately, the newest last.
    #[serde(default)]
    pub lost_at: Vec<Timestamp>,
    /// It was lost again and again, and gets nothing new before.
    #[serde(default)]
    pub held_until: Option<Timestamp>,
    /// Whether its runner ends a singleton by itself when its lease is over.
    #[serde(default)]
    pub fences: bool,
    /// What it says of itself beyond that.
    #[serde(default)]
    pub facts: NodeFacts,
    /// Labels that an operator set, over those that it says itself; an empty
    /// text: it has none of this name.
    #[serde(default)]
    pub set_labels: BTreeMap<String, String>,
    /// Somebody said that it gets nothing new.
    #[serde(default)]
    pub cordoned: bool,
    /// What it has goes elsewhere.
    #[serde(default)]
    pub drain: Option<Drain>,
}

/// What a node says of itself beyond its size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Labels of its runner's configuration.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Operating system, as `linux`.
    #[serde(default)]
    pub os: String,
    /// Machine architecture, as `x86_64`.
    #[serde(default)]
    pub arch: String,
    /// Version of its kernel, as `6.1.0-18-amd64`.
    #[serde(default)]
    pub kernel: String,
}

/// What a node has goes elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Since when.
    pub begun: Timestamp,
    /// When what is left is stopped in any case; `None`: never.
    pub deadline: Option<Timestamp>,
    /// That has come.
    pub over: bool,
    /// When nothing was left.
    pub done: Option<Timestamp>,
}

/// Whether a node is heard from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It is.
    Ready,
    /// Not for half of its lease: it gets nothing new.
    Suspect,
    /// Its lease ran out.
    Lost,
}

impl Node {
    /// The value of a label: as an operator set it, else as its runner says.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        let value = self.set_labels.get(name).or_else(|| self.facts.labels.get(name))?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// All its labels.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        let names = self.facts.labels.keys().chain(self.set_labels.keys());
        names.filter_map(|name| Some((name.as_str(), self.label(name)?))).collect()
    }

    /// What a constraint sees under this name: a label, or one of
    /// [`NODE_ATTRIBUTES`](process_model::spec::NODE_ATTRIBUTES).
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        fn said(text: &str) -> Option<Cow<'_, str>> {
            (!text.is_empty()).then_some(Cow::Borrowed(text))
        }
        match name {
            "node.name" => said(self.name.as_str()),
            "node.cpus" => Some(self.cpus.to_string().into()),
            "node.memory" => Some(self.memory_bytes.to_string().into()),
            "node.arch" => said(&self.facts.arch),
            "node.os" => said(&self.facts.os),
            "node.kernel" => said(&self.facts.kernel),
            "node.runner_version" => said(&self.runner_version),
            label => self.label(label).map(Cow::Borrowed),
        }
    }

    /// Whether it takes anything new.
    #[must_use]
    pub fn takes_new(&self) -> bool {
        crate::placement::takes_new(self)
    }
}
