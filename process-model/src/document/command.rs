//! Commands: a text is a command line, a list is a program and its arguments.

use super::fields::HOOK;
use super::mapping::Mapping;
use super::report::Report;
use super::scalar::{self, Wrong};
use super::tree::{Node, Value};
use super::value::inner;
use crate::spec::{Command, Hook};

/// The command of a field, if it is there and right.
pub(super) fn read(fields: &Mapping<'_>, name: &str, report: &mut Report) -> Option<Command> {
    let entry = fields.wanted(name, report)?;
    value(fields, name, &entry.value, report)
}

fn value(fields: &Mapping<'_>, name: &str, node: &Node, report: &mut Report) -> Option<Command> {
    match &node.value {
        Value::Scalar(_) => match scalar::text(node) {
            Ok(line) => Some(Command::Shell(line.to_owned())),
            Err(wrong) => {
                inner(fields, name, node.at, wrong, report);
                None
            }
        },
        Value::Sequence(items) => {
            let mut args = Vec::new();
            for (index, item) in items.iter().enumerate() {
                // `[sleep, 5]` is what everybody writes.
                match scalar::literal(item) {
                    Ok(text) => args.push(text.to_owned()),
                    Err(wrong) => inner(fields, &format!("{name}[{index}]"), item.at, wrong, report),
                }
            }
            (args.len() == items.len()).then_some(Command::Argv(args))
        }
        Value::Mapping(_) => {
            let wrong = Wrong::found(node, "write a text, or a list of program and arguments");
            inner(fields, name, node.at, wrong, report);
            None
        }
    }
}

/// A command, or a map with one in it.
pub(super) fn bare_or_group(fields: &Mapping<'_>, name: &str, report: &mut Report) -> Option<Command> {
    let entry = fields.wanted(name, report)?;
    match &entry.value.value {
        Value::Mapping(_) => read(&fields.group(name, report)?, "command", report),
        Value::Scalar(_) | Value::Sequence(_) => value(fields, name, &entry.value, report),
    }
}

/// A hook: a command, or a map of it and its time-out.
pub(super) fn hook(fields: &Mapping<'_>, name: &str, report: &mut Report) -> Option<Hook> {
    let entry = fields.wanted(name, report)?;
    let command = match &entry.value.value {
        Value::Scalar(_) | Value::Sequence(_) => return value(fields, name, &entry.value, report).map(Hook::new),
        Value::Mapping(_) => Mapping::open(&HOOK, &entry.value, fields.field(name), entry.key_at, report)?,
    };
    let timeout = command.duration("timeout", report);
    let hook = Hook::new(read(&command, "command", report)?);
    Some(Hook { timeout: timeout.unwrap_or(hook.timeout), ..hook })
}
