//! A fault with its place in the file.

use crate::spec::Fault;
use std::fmt;

/// One thing that is wrong in a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFault {
    /// The file, as its reader named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Field, problem and fix. The field is the whole path, as
    /// `processes.web.restart.backoff.max`; `document` is the file itself.
    pub fault: Fault,
}

/// `file:line:column: field: what is wrong; what to write`.
impl fmt::Display for DocumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.fault)
    }
}

impl std::error::Error for DocumentFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.fault)
    }
}
