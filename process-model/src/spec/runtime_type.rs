//! How a kind of application is run.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How a kind of application is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeType {
    /// A program and its arguments, as they are.
    Exec,
    /// A command line for `/bin/sh -c`.
    Shell,
    /// The arguments go to the application's own Python when it has a virtual
    /// environment (`.venv`, `venv`), else to `python3`.
    Python,
    /// The arguments go to `node`.
    Node,
}

impl RuntimeType {
    /// Every type.
    pub const ALL: [Self; 4] = [Self::Exec, Self::Shell, Self::Python, Self::Node];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Shell => "shell",
            Self::Python => "python",
            Self::Node => "node",
        }
    }
}

impl fmt::Display for RuntimeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RuntimeType {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|t| t.as_str() == s)
            .ok_or_else(|| format!("{s:?} is no type; write exec, shell, python or node"))
    }
}
