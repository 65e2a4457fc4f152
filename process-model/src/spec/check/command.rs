//! What runs: command, type, working directory, user, environment.

use super::faults::Faults;
use crate::spec::{Command, ProcessSpec, RuntimeType};
use std::collections::BTreeMap;

pub(super) fn check(spec: &ProcessSpec, faults: &mut Faults) {
    check_command("command", &spec.command, faults);
    match (&spec.command, spec.runtime.as_str()) {
        (Command::Argv(_), RuntimeType::SHELL) => faults.add(
            "type",
            "shell does not go with a list of arguments",
            "write the command as one text, or type: exec",
        ),
        (Command::Shell(_), RuntimeType::EXEC) => {
            faults.add("type", "exec does not go with a command line", "write the command as a list, or type: shell")
        }
        // Whether another type takes it is the node's to say.
        (Command::Shell(_) | Command::Argv(_), _) => {}
    }
    if let Some(dir) = &spec.working_dir {
        faults.path("working_dir", dir);
    }
    if let Some(user) = &spec.user {
        faults.account("user", user, "user");
    }
}

/// A command of the process, a hook or a probe.
pub(super) fn check_command(field: &str, command: &Command, faults: &mut Faults) {
    let words: Vec<&String> = match command {
        Command::Shell(line) => vec![line],
        Command::Argv(args) => args.iter().collect(),
    };
    if words.first().is_none_or(|word| word.trim().is_empty()) {
        faults.add(field, "it is empty", "write the program to run");
    }
    for word in words {
        faults.text(field, word);
    }
}

/// The environment of the process, or of the whole file.
pub(super) fn check_environment(env: &BTreeMap<String, String>, faults: &mut Faults) {
    for (key, value) in env {
        let field = format!("env.{key}");
        if key.is_empty() || key.contains(['=', '\0']) {
            faults.add(&field, "it is no variable name", "write a name without = and NUL");
        } else if key.starts_with("PM_") {
            faults.add(&field, "names that begin with PM_ are the manager's own", "choose another name");
        }
        faults.text(&field, value);
    }
}
