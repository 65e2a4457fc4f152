//! One thing that is wrong with a spec.

use std::fmt;

/// One fault: where, what, and what to write instead. Readers collect all
/// faults of a document before they report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path of the field, as `processes.web.restart.backoff.max`; relative to
    /// the spec when it is found in a single one.
    pub field: String,
    /// What is wrong, with the value.
    pub problem: String,
    /// What to write instead.
    pub fix: String,
}

impl Fault {
    /// A fault of `field`.
    pub fn new(field: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into(), fix: fix.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.problem, self.fix)
    }
}

impl std::error::Error for Fault {}
