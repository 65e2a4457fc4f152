//! What a scalar is (YAML 1.2 core schema), and how to say what was found.
//!
//! The expected kind decides, not the look: `no` is a text where a text is
//! expected, and never quietly a boolean.

use super::tree::{Node, Scalar, Value};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// What an unquoted scalar looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Null,
    Flag(bool),
    Number,
    Text,
}

/// Why a value cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) problem: String,
    pub(super) fix: String,
}

impl Wrong {
    pub(super) fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: fix.into() }
    }

    /// Something else than expected was found.
    pub(super) fn found(node: &Node, fix: impl Into<String>) -> Self {
        Self::new(format!("it is {}", describe(node)), fix)
    }
}

impl Scalar {
    pub(super) fn look(&self) -> Look {
        if !self.plain {
            return Look::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Look::Null,
            "true" | "True" | "TRUE" => Look::Flag(true),
            "false" | "False" | "FALSE" => Look::Flag(false),
            text if is_number(text) => Look::Number,
            _ => Look::Text,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.look() == Look::Null
    }
}

fn is_number(text: &str) -> bool {
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    let based = |prefix, radix| {
        text.strip_prefix(prefix).is_some_and(|d: &str| !d.is_empty() && d.chars().all(|c| c.is_digit(radix)))
    };
    let special = [".inf", ".Inf", ".INF"].contains(&bare) || [".nan", ".NaN", ".NAN"].contains(&text);
    // A leading digit or point keeps "inf", "nan" and "e5" out, which f64 would read.
    let decimal = bare.starts_with(|c: char| c.is_ascii_digit() || c == '.') && bare.parse::<f64>().is_ok();
    special || based("0x", 16) || based("0o", 8) || decimal
}

/// A found value in words. Long texts are cut.
pub(super) fn describe(node: &Node) -> String {
    match &node.value {
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a map".to_owned(),
        Value::Scalar(scalar) => match scalar.look() {
            Look::Null => "nothing".to_owned(),
            Look::Flag(_) => format!("the boolean {}", scalar.text),
            Look::Number => format!("the number {}", cut(&scalar.text)),
            Look::Text => format!("the text {:?}", cut(&scalar.text)),
        },
    }
}

/// A key as a part of a path.
pub(super) fn segment(key: &str) -> String {
    if key.is_empty() { "\"\"".to_owned() } else { cut(key) }
}

/// At most 40 characters of a text.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A text. Numbers and booleans have to be quoted, so that nobody is surprised
/// by what became of `1.10` elsewhere.
pub(super) fn text(node: &Node) -> Result<&str, Wrong> {
    match &node.value {
        Value::Scalar(scalar) => match scalar.look() {
            Look::Text => Ok(&scalar.text),
            Look::Null | Look::Flag(_) | Look::Number => {
                Err(Wrong::found(node, format!("write a text, in quotes: \"{}\"", cut(&scalar.text))))
            }
        },
        Value::Sequence(_) | Value::Mapping(_) => Err(Wrong::found(node, "write a text")),
    }
}

/// A text, or a number or boolean exactly as it is written. The message never
/// shows the value: it may be a secret.
pub(super) fn literal(node: &Node) -> Result<&str, Wrong> {
    match &node.value {
        Value::Scalar(scalar) if !scalar.is_null() => Ok(&scalar.text),
        Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => {
            Err(Wrong::found(node, "write a text, a number or a boolean"))
        }
    }
}

/// `true` or `false`.
pub(super) fn flag(node: &Node) -> Result<bool, Wrong> {
    match &node.value {
        Value::Scalar(scalar) => match scalar.look() {
            Look::Flag(value) => Ok(value),
            Look::Null | Look::Number | Look::Text => Err(Wrong::found(node, "write true or false")),
        },
        Value::Sequence(_) | Value::Mapping(_) => Err(Wrong::found(node, "write true or false")),
    }
}

/// A whole number in `range`.
pub(super) fn integer(node: &Node, range: &RangeInclusive<u32>) -> Result<u32, Wrong> {
    let wide = i64::from(*range.start())..=i64::from(*range.end());
    // What is in the range is no less than its start and no more than its end.
    whole(node, &wide).map(|value| u32::try_from(value).unwrap_or_default())
}

/// A whole number in `range`, which may be negative.
pub(super) fn whole(node: &Node, range: &RangeInclusive<i64>) -> Result<i64, Wrong> {
    let fix = || if range.start() == range.end() { format!("write {}", range.start()) } else { span("write", range) };
    let text = number_text(node, &fix)?;
    // `010` is 8 to some readers and 10 to others; 0x and 1e3 help nobody here.
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.bytes().all(|b| b.is_ascii_digit()) || (digits.len() > 1 && digits.starts_with('0')) {
        return Err(Wrong::new(format!("{} is no whole number in plain digits", cut(text)), fix()));
    }
    let value = text.parse::<i64>().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| Wrong::new(format!("{} is out of range", cut(text)), fix()))
}

/// A number in `range`.
pub(super) fn number(node: &Node, range: &RangeInclusive<f64>) -> Result<f64, Wrong> {
    let fix = || span("write", range);
    let text = number_text(node, &fix)?;
    let value = text.parse::<f64>().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| Wrong::new(format!("{} is out of range", cut(text)), fix()))
}

fn number_text<'t>(node: &'t Node, fix: &dyn Fn() -> String) -> Result<&'t str, Wrong> {
    match &node.value {
        Value::Scalar(scalar) if scalar.look() == Look::Number => Ok(&scalar.text),
        Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => {
            Err(Wrong::found(node, format!("{} as a number without quotes", fix())))
        }
    }
}

/// `WRITE a to b`.
fn span<T: Display>(write: &str, range: &RangeInclusive<T>) -> String {
    format!("{write} {} to {}", range.start(), range.end())
}
