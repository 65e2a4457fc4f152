//! Commands and the hooks that run them.

use super::reader::Reader;
use crate::convert::duration_to_wire;
use crate::v1;
use process_model::spec::{Command, Hook, Hooks, limits};

/// A command; a stand-in after a fault.
pub(super) fn command_from_wire(field: &str, wire: Option<&v1::Command>, reader: &mut Reader) -> Command {
    match wire {
        Some(command) if command.shell.is_empty() && !command.argv.is_empty() => Command::Argv(command.argv.clone()),
        Some(command) if !command.shell.is_empty() && command.argv.is_empty() => Command::Shell(command.shell.clone()),
        Some(command) if !command.shell.is_empty() => {
            reader.fault(field, "it has both shell and argv", "write one of them");
            stand_in()
        }
        Some(_) | None => {
            reader.fault(field, "it is missing", "write the program to run");
            stand_in()
        }
    }
}

fn stand_in() -> Command {
    Command::Shell(":".to_owned())
}

pub(super) fn command_to_wire(command: &Command) -> v1::Command {
    match command {
        Command::Shell(line) => v1::Command { shell: line.clone(), argv: Vec::new() },
        Command::Argv(args) => v1::Command { shell: String::new(), argv: args.clone() },
    }
}

pub(super) fn hook_from_wire(field: &str, wire: &v1::Hook, reader: &mut Reader) -> Hook {
    let command = command_from_wire(&format!("{field}.command"), wire.command.as_ref(), reader);
    let timeout = reader.duration(format!("{field}.timeout"), wire.timeout.as_ref(), limits::default::HOOK_TIMEOUT);
    Hook { command, timeout }
}

pub(super) fn hook_to_wire(hook: &Hook) -> v1::Hook {
    v1::Hook { command: Some(command_to_wire(&hook.command)), timeout: Some(duration_to_wire(hook.timeout)) }
}

pub(super) fn hooks_from_wire(wire: &v1::Hooks, reader: &mut Reader) -> Hooks {
    let mut read = |name: &str, hook: &Option<v1::Hook>| {
        hook.as_ref().map(|hook| hook_from_wire(&format!("hooks.{name}"), hook, reader))
    };
    Hooks {
        pre_start: read("pre_start", &wire.pre_start),
        post_start: read("post_start", &wire.post_start),
        reload: read("reload", &wire.reload),
        pre_stop: read("pre_stop", &wire.pre_stop),
        post_stop: read("post_stop", &wire.post_stop),
    }
}

pub(super) fn hooks_to_wire(hooks: &Hooks) -> v1::Hooks {
    v1::Hooks {
        pre_start: hooks.pre_start.as_ref().map(hook_to_wire),
        post_start: hooks.post_start.as_ref().map(hook_to_wire),
        reload: hooks.reload.as_ref().map(hook_to_wire),
        pre_stop: hooks.pre_stop.as_ref().map(hook_to_wire),
        post_stop: hooks.post_stop.as_ref().map(hook_to_wire),
    }
}
