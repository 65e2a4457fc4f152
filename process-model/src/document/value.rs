//! What the values of several fields have in common.

use super::mapping::{Mapping, located};
use super::report::Report;
use super::scalar::{Wrong, cut};
use super::suggest::suggest;
use super::tree::{Node, Position, Value};
use crate::InvalidName;

/// A text as a name.
pub(super) fn name<T: std::str::FromStr<Err = InvalidName>>(text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|InvalidName { value, fault }| {
        let fix = "use 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit";
        Wrong::new(format!("{:?} is no valid name: {fault}", cut(&value)), fix)
    })
}

/// One of some words.
pub(super) fn word<T: Copy>(node: &Node, all: &[T], say: impl Fn(T) -> &'static str) -> Result<T, Wrong> {
    let words: Vec<&'static str> = all.iter().map(|one| say(*one)).collect();
    let text = match &node.value {
        Value::Scalar(scalar) => scalar.text.as_str(),
        Value::Sequence(_) | Value::Mapping(_) => "",
    };
    all.iter().copied().find(|one| say(*one) == text).ok_or_else(|| {
        let meant = suggest(text, &words);
        let fix = meant.map_or_else(|| format!("write {}", words.join(", ")), |meant| format!("did you mean {meant}?"));
        Wrong::found(node, fix)
    })
}

/// The values of a list, or the one that stands for a list of one.
pub(super) fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::Sequence(items) => items,
        Value::Scalar(_) | Value::Mapping(_) => std::slice::from_ref(node),
    }
}

/// The values of a field that is a list, or one that stands for a list of one;
/// those without a fault.
pub(super) fn list<'t, T>(
    fields: &Mapping<'t>,
    name: &str,
    report: &mut Report,
    read: impl Fn(&'t Node) -> Result<T, Wrong>,
) -> Vec<T> {
    let Some(entry) = fields.wanted(name, report) else { return Vec::new() };
    let listed = matches!(entry.value.value, Value::Sequence(_));
    let mut values = Vec::new();
    for (index, item) in items(&entry.value).iter().enumerate() {
        match read(item) {
            Ok(value) => values.push(value),
            Err(wrong) => {
                let field = if listed { format!("{name}[{index}]") } else { name.to_owned() };
                inner(fields, &field, item.at, wrong, report);
            }
        }
    }
    values
}

/// `wrong` at an inner value of `name`.
pub(super) fn inner(fields: &Mapping<'_>, name: &str, at: Position, wrong: Wrong, report: &mut Report) {
    report.fault(at, located(&fields.field(name), wrong));
}
