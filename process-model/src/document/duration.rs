//! Durations: a text with units, or a number of seconds.

use super::scalar::{Look, Wrong, cut};
use super::tree::{Node, Value};
use crate::words as say;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A duration in `range`.
pub(super) fn read(node: &Node, range: &RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    const FORM: &str = "write a duration as 30s, 1m 30s or 500ms, or a number of seconds";
    let Value::Scalar(scalar) = &node.value else { return Err(Wrong::found(node, FORM)) };
    let text = scalar.text.as_str();
    let value = match scalar.look() {
        Look::Number => match text.parse::<f64>() {
            Ok(seconds) if seconds < 0.0 => return Err(Wrong::new(format!("{} is negative", cut(text)), words(range))),
            // Too large for a duration is out of every range.
            Ok(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
            Err(_) => return Err(Wrong::found(node, FORM)),
        },
        Look::Text if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            let fix = format!("write {}s, or the number without quotes", cut(text));
            return Err(Wrong::new(format!("{:?} has no unit", cut(text)), fix));
        }
        Look::Text => match humantime::parse_duration(text) {
            Ok(value) => value,
            Err(error) => return Err(Wrong::new(format!("{:?} is no duration: {error}", cut(text)), FORM)),
        },
        Look::Null | Look::Flag(_) => return Err(Wrong::found(node, FORM)),
    };
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(Wrong::new(format!("{} is out of range", cut(text)), words(range)))
    }
}

/// What to write: the range with units, and in seconds where it is whole.
fn words(range: &RangeInclusive<Duration>) -> String {
    let (start, end) = (*range.start(), *range.end());
    let units = format!("write {} to {}", say::duration(start), say::duration(end));
    if start.subsec_nanos() == 0 && end.subsec_nanos() == 0 {
        format!("{units} ({} to {} seconds)", start.as_secs(), end.as_secs())
    } else {
        units
    }
}
