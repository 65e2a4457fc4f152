//! What the values of several fields have in common.

use super::mapping::{Mapping, located};
use super::report::Report;
use super::scalar::{Wrong, cut};
use super::tree::Position;
use crate::InvalidName;

/// A text as a name.
pub(super) fn name<T: std::str::FromStr<Err = InvalidName>>(text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|InvalidName { value, fault }| {
        let fix = "use 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit";
        Wrong::new(format!("{:?} is no valid name: {fault}", cut(&value)), fix)
    })
}

/// `wrong` at an inner value of `name`.
pub(super) fn inner(fields: &Mapping<'_>, name: &str, at: Position, wrong: Wrong, report: &mut Report) {
    report.fault(at, located(&fields.field(name), wrong));
}
