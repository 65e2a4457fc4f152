//! One type, checked.

use crate::condition::Condition;
use crate::template::Template;
use process_model::spec::{RuntimeType, Signal};
use std::collections::BTreeMap;

/// How one kind of application is run. Made by reading YAML, see `read`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub(crate) name: RuntimeType,
    pub(crate) description: String,
    /// The application is of this kind when one of these holds.
    pub(crate) detect: Vec<Condition>,
    pub(crate) choices: BTreeMap<String, Vec<Candidate>>,
    pub(crate) lists: BTreeMap<String, List>,
    pub(crate) env: BTreeMap<String, Template>,
    /// The first whose conditions hold is run; never empty.
    pub(crate) run: Vec<Run>,
    /// The port of a process that names none.
    pub(crate) port: Option<u16>,
    pub(crate) probe: Option<DefaultProbe>,
    /// What asks such a program to end, where that is not SIGTERM.
    pub(crate) stop_signal: Option<Signal>,
    /// What tidies up after each end, for /bin/sh, with the environment of the
    /// program (`PM_INSTANCE`).
    pub(crate) post_stop: Option<String>,
}

/// One way to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// All have to hold.
    pub(crate) when: Vec<Condition>,
    /// Never empty.
    pub(crate) command: Vec<Template>,
}

/// One candidate of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// A text with `/` is a file, taken only when it is there.
    pub(crate) value: Template,
    /// All have to hold.
    pub(crate) when: Vec<Condition>,
}

/// Words for each entry of something that a process has many of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) each: Each,
    pub(crate) words: Vec<Template>,
}

/// What a process has many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Each {
    /// Its own environment.
    Env,
    /// Its ports.
    Ports,
}

/// How a process that says nothing about it is known to be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DefaultProbe {
    Tcp,
    Http(String),
}

impl Definition {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &RuntimeType {
        &self.name
    }

    /// One sentence for people.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }
}
