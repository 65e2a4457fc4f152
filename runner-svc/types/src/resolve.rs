//! A definition and one instance of a process → the program to start.

use crate::definition::{Definition, Run};
use crate::files::Files;
use crate::placeholder::Placeholder;
use crate::scope::{Missing, Scope, split};
use crate::subject::Subject;
use crate::template::{Piece, Template};
use process_model::spec::Command;
use std::collections::BTreeMap;

/// What is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// Variables that the type sets; the process's own come over them.
    pub env: BTreeMap<String, String>,
}

/// Why there is nothing to start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The node has no such type.
    #[error("this node has no type {name:?}; it has {}{}", known.join(", "), looks(looks_like))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
        /// What the application's files look like.
        looks_like: Vec<String>,
    },
    /// The definition does not go with the process or its files.
    #[error("type {name}: {why}")]
    Unfit {
        /// The type.
        name: String,
        /// What does not, and what to do.
        why: String,
    },
}

fn looks(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; its folder looks like {}", names.join(" or ")) }
}

impl Definition {
    /// What is to be started for `subject`.
    pub(crate) fn resolve(&self, subject: Subject<'_>, files: &dyn Files) -> Result<Program, ResolveError> {
        let scope = Scope { definition: self, subject, files };
        let unfit = |Missing(why)| ResolveError::Unfit { name: self.name.to_string(), why };
        let run = self.run.iter().find(|run| run.when.iter().all(|condition| condition.holds(&scope)));
        let run =
            run.ok_or_else(|| unfit(Missing(format!("no way to run it fits the files in {}", subject.working_dir))))?;
        let argv = match &subject.spec.command {
            Command::Argv(args) => words(&scope, run, args),
            Command::Shell(_) if run.takes_line() => words(&scope, run, &[]),
            Command::Shell(line) => in_shell(&scope, run, line),
        };
        let argv = argv.map_err(unfit)?;
        if argv.is_empty() {
            return Err(unfit(Missing("the command is empty".to_owned())));
        }
        // A variable whose value the process does not determine is left out.
        let env = self.env.iter().filter_map(|(name, value)| Some((name.clone(), scope.word(value).ok()?))).collect();
        Ok(Program { argv, env })
    }

    /// Whether the application's files look like this type.
    pub(crate) fn fits(&self, subject: Subject<'_>, files: &dyn Files) -> bool {
        let scope = Scope { definition: self, subject, files };
        self.detect.iter().any(|condition| condition.holds(&scope))
    }
}

impl Run {
    /// Whether it takes the process's command as one text.
    pub(crate) fn takes_line(&self) -> bool {
        self.command.iter().flat_map(Template::placeholders).any(|placeholder| *placeholder == Placeholder::Line)
    }
}

/// Each template as a word, or as the words that it stands for.
fn words(scope: &Scope<'_>, run: &Run, args: &[String]) -> Result<Vec<String>, Missing> {
    let mut words = Vec::new();
    for template in &run.command {
        match template.many() {
            Some(Placeholder::Args) => words.extend_from_slice(args),
            Some(Placeholder::Rest) => words.extend(args.iter().skip(1).cloned()),
            Some(Placeholder::List(name)) => words.extend(scope.list(name)?),
            Some(_) | None => words.push(scope.word(template)?),
        }
    }
    Ok(words)
}

/// The command line of a process goes into the type's, as it is written: its
/// quotes, variables and redirections are the shell's. `exec`: one process
/// instead of a shell around it, so that signals reach the application.
fn in_shell(scope: &Scope<'_>, run: &Run, line: &str) -> Result<Vec<String>, Missing> {
    let mut text = "exec".to_owned();
    for template in &run.command {
        let fragment = match template.many() {
            Some(Placeholder::Args) => line.to_owned(),
            Some(Placeholder::Rest) => split(line).1.to_owned(),
            Some(Placeholder::List(name)) => {
                scope.list(name)?.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
            }
            Some(_) | None => fragment(scope, template)?,
        };
        if !fragment.is_empty() {
            text.push(' ');
            text.push_str(&fragment);
        }
    }
    Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), text])
}

fn fragment(scope: &Scope<'_>, template: &Template) -> Result<String, Missing> {
    let mut fragment = String::new();
    for piece in &template.pieces {
        match piece {
            Piece::Text(text) => fragment.push_str(&quoted(text)),
            // A word of the process's line, with its own quotes.
            Piece::Placeholder(first @ Placeholder::First) => fragment.push_str(&scope.value(first, None)?),
            Piece::Placeholder(placeholder) => fragment.push_str(&quoted(&scope.value(placeholder, None)?)),
        }
    }
    Ok(fragment)
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
