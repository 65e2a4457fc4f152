//! What runs.

use serde::{Deserialize, Serialize};

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A command line for `/bin/sh -c`.
    Shell(String),
    /// A program and its arguments; never empty.
    Argv(Vec<String>),
}

impl Command {
    /// One line for people. Not a shell quotation.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Shell(line) => line.clone(),
            Self::Argv(args) => args.join(" "),
        }
    }
}
