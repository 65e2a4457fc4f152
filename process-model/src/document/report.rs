//! Collects what is wrong with one file. Faults enter in any order and leave
//! by position.

use super::fault::DocumentFault;
use super::tree::Position;
use crate::spec::Fault;

/// Faults that are kept. A file of nothing but faults would else make a report
/// many times its own size; nobody reads more than this.
pub(super) const MAX_FAULTS: usize = 1000;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    faults: Vec<(Position, Fault)>,
    warnings: Vec<(Position, Fault)>,
    untold: usize,
}

impl Report {
    /// Adds a fault.
    pub(super) fn fault(&mut self, at: Position, fault: Fault) {
        if !self.is_full() {
            self.faults.push((at, fault));
        } else {
            self.untold += 1;
        }
    }

    /// Whether further faults are only counted. Work that only words them
    /// better can then be left out.
    pub(super) fn is_full(&self) -> bool {
        self.faults.len() >= MAX_FAULTS
    }

    /// Adds a warning.
    pub(super) fn warn(&mut self, at: Position, warning: Fault) {
        if self.warnings.len() < MAX_FAULTS {
            self.warnings.push((at, warning));
        }
    }

    /// Whether `field`, or something inside it, has a fault.
    pub(super) fn is_faulty(&self, field: &str) -> bool {
        self.faults.iter().any(|(_, fault)| {
            fault.field.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// The warnings if there is no fault, else the faults; both by position.
    pub(super) fn finish(mut self, file: &str) -> Result<Vec<DocumentFault>, Vec<DocumentFault>> {
        if self.untold > 0 {
            let last = self.faults.iter().map(|(at, _)| *at).max().unwrap_or_default();
            let problem = format!("{} or more further faults are not listed", self.untold);
            self.faults.push((last, Fault::new("document", problem, "mend these first")));
        }
        if self.faults.is_empty() { Ok(place(self.warnings, file)) } else { Err(place(self.faults, file)) }
    }
}

fn place(mut found: Vec<(Position, Fault)>, file: &str) -> Vec<DocumentFault> {
    found.sort_by_key(|(at, _)| *at); // stable: at one place in the order of finding
    found
        .into_iter()
        .map(|(at, Fault { field, problem, fix })| DocumentFault {
            file: file.to_owned(),
            line: at.line,
            column: at.column,
            fault: Fault { field: one_line(&field, 200), problem: one_line(&problem, 1000), fix: one_line(&fix, 1000) },
        })
        .collect()
}

/// A text that stays on its line, does nothing to a terminal, and is not
/// longer than anybody reads: keys of the file get into messages.
fn one_line(text: &str, longest: usize) -> String {
    let mut line = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == longest {
            line.push('…');
            break;
        }
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}
