//! Collects faults; one method for each kind of value, so that the same
//! mistake is said in the same words everywhere.

use crate::spec::{Fault, limits, pattern};
use crate::words;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn into_list(self) -> Vec<Fault> {
        self.0
    }

    /// Whether something in `field` is wrong.
    pub(super) fn is_faulty(&self, field: &str) -> bool {
        self.0.iter().any(|fault| fault.field.starts_with(field))
    }

    pub(super) fn add(&mut self, field: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Fault::new(field, problem, fix));
    }

    /// A text that the kernel takes as one argument.
    pub(super) fn text(&mut self, field: &str, text: &str) {
        self.bounded(field, text, limits::TEXT_BYTES);
    }

    fn bounded(&mut self, field: &str, text: &str, max: usize) {
        if text.contains('\0') {
            self.add(field, "it contains a NUL character", "leave it out");
        }
        if text.len() > max {
            self.add(field, format!("it has {} bytes", text.len()), format!("write at most {max}"));
        }
    }

    /// An absolute path.
    pub(super) fn path(&mut self, field: &str, path: &str) {
        self.bounded(field, path, limits::PATH_BYTES);
        if !path.starts_with('/') {
            self.add(field, format!("{path:?} is no absolute path"), "begin with /");
        }
    }

    /// A regular expression. The message does not show it: the place does.
    pub(super) fn pattern(&mut self, field: impl Into<String>, text: &str) {
        if let Err(problem) = pattern::compile(text) {
            self.add(
                field,
                format!("it is no regular expression: {problem}"),
                "write one as the Rust crate regex reads it, as \"error: .*\"",
            );
        }
    }

    pub(super) fn duration(&mut self, field: impl Into<String>, value: Duration, range: &RangeInclusive<Duration>) {
        if !range.contains(&value) {
            let fix = format!("write {} to {}", words::duration(*range.start()), words::duration(*range.end()));
            self.add(field, format!("{} is out of range", words::duration(value)), fix);
        }
    }

    pub(super) fn number<T: PartialOrd + Display>(
        &mut self,
        field: impl Into<String>,
        value: T,
        range: &RangeInclusive<T>,
    ) {
        if !range.contains(&value) {
            let fix = format!("write {} to {}", range.start(), range.end());
            self.add(field, format!("{value} is out of range"), fix);
        }
    }

    /// A number of bytes.
    pub(super) fn size(&mut self, field: impl Into<String>, bytes: u64, range: &RangeInclusive<u64>) {
        if !range.contains(&bytes) {
            let fix = format!("write {} to {}", words::size(*range.start()), words::size(*range.end()));
            self.add(field, format!("{} is out of range", words::size(bytes)), fix);
        }
    }

    /// Mode bits.
    pub(super) fn mode(&mut self, field: impl Into<String>, mode: u32) {
        if !limits::MODE_BITS.contains(&mode) {
            self.add(field, format!("{mode:#o} is out of range"), "write 000 to 777, in octal digits");
        }
    }

    pub(super) fn port(&mut self, field: impl Into<String>, port: u16) {
        self.number(field, u32::from(port), &limits::PORT);
    }

    /// The name of a user or a group, or its number.
    pub(super) fn account(&mut self, field: impl Into<String>, name: &str, noun: &str) {
        let bad = name.is_empty()
            || name.len() > 32
            || name.contains(|c: char| c.is_whitespace() || c == ':' || c == '/' || c.is_control());
        if bad {
            self.add(field, format!("{name:?} is no {noun} name"), "write a name or a numeric id");
        }
    }

    /// A list that is not too long.
    pub(super) fn count(&mut self, field: &str, count: usize, max: usize) {
        if count > max {
            self.add(field, format!("it has {count} entries"), format!("write at most {max}"));
        }
    }

    /// A key that is there twice in a list.
    pub(super) fn twice(&mut self, field: impl Into<String>, what: impl Display) {
        self.add(field, format!("{what} is given twice"), "keep one");
    }
}
