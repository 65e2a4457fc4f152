//! `command`: a text is a command line, a list is a program and its arguments.

use super::mapping::Mapping;
use super::report::Report;
use super::scalar::{self, Wrong};
use super::tree::Value;
use super::value::inner;
use crate::spec::Command;

/// The command, if it is there and right.
pub(super) fn read(fields: &Mapping<'_>, report: &mut Report) -> Option<Command> {
    let entry = fields.wanted("command", report)?;
    match &entry.value.value {
        Value::Scalar(_) => fields.text("command", report).map(|line| Command::Shell(line.to_owned())),
        Value::Sequence(items) => {
            let mut args = Vec::new();
            for (index, item) in items.iter().enumerate() {
                // `[sleep, 5]` is what everybody writes.
                match scalar::literal(item) {
                    Ok(text) => args.push(text.to_owned()),
                    Err(wrong) => inner(fields, &format!("command[{index}]"), item.at, wrong, report),
                }
            }
            (args.len() == items.len()).then_some(Command::Argv(args))
        }
        Value::Mapping(_) => {
            let wrong = Wrong::found(&entry.value, "write a text, or a list of program and arguments");
            inner(fields, "command", entry.value.at, wrong, report);
            None
        }
    }
}
