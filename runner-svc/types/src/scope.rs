//! Placeholders → values, for one definition and one instance.

use crate::definition::{Candidate, Definition, Each, List};
use crate::files::Files;
use crate::placeholder::Placeholder;
use crate::subject::{self, Subject};
use crate::template::{Piece, Template};
use process_model::spec::Command;
use std::collections::BTreeMap;

/// What placeholders are looked up in.
pub(crate) struct Scope<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) subject: Subject<'a>,
    pub(crate) files: &'a dyn Files,
}

/// Why a placeholder has no value here: what to write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) String);

/// An entry of a list, while its words are made.
type Entry<'a> = Option<(&'a str, Option<&'a str>)>;

impl Scope<'_> {
    /// One word, its placeholders replaced.
    pub(crate) fn word(&self, template: &Template) -> Result<String, Missing> {
        self.joined(template, None, str::to_owned)
    }

    /// A JSON pointer: what is put in is one segment of it.
    pub(crate) fn pointer(&self, template: &Template) -> Result<String, Missing> {
        self.joined(template, None, |value| value.replace('~', "~0").replace('/', "~1"))
    }

    fn joined(&self, template: &Template, entry: Entry<'_>, put: fn(&str) -> String) -> Result<String, Missing> {
        let mut word = String::new();
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => word.push_str(text),
                Piece::Placeholder(placeholder) => word.push_str(&put(&self.value(placeholder, entry)?)),
            }
        }
        Ok(word)
    }

    /// The value of a placeholder that stands for one text.
    pub(crate) fn value(&self, placeholder: &Placeholder, entry: Entry<'_>) -> Result<String, Missing> {
        let spec = self.subject.spec;
        match placeholder {
            Placeholder::Process => Ok(self.subject.instance.process.to_string()),
            Placeholder::Instance => Ok(self.subject.instance.to_string()),
            Placeholder::Index => Ok(self.subject.instance.index.to_string()),
            Placeholder::WorkingDir => Ok(self.subject.working_dir.to_owned()),
            Placeholder::Port => subject::port(spec)
                .or(self.definition.port)
                .map(|port| port.to_string())
                .ok_or_else(|| Missing("it needs a port; write ports: { http: NUMBER }".to_owned())),
            Placeholder::Env(name) => {
                spec.env.get(name).cloned().ok_or_else(|| Missing(format!("it needs env: {{ {name}: … }}")))
            }
            Placeholder::First => match &spec.command {
                Command::Argv(args) => args.first().cloned(),
                Command::Shell(line) => Some(split(line).0.to_owned()),
            }
            .ok_or_else(|| Missing("the command is empty".to_owned())),
            Placeholder::Choice(name) => self.choice(name),
            Placeholder::Key => Ok(entry.map(|(key, _)| key.to_owned()).unwrap_or_default()),
            Placeholder::Value => match entry {
                Some((_, Some(value))) => Ok(value.to_owned()),
                Some((key, None)) => Err(Missing(format!(
                    "the value of {key} is for the environment alone; use {{{{key}}}}, or write it in the process's env"
                ))),
                None => Ok(String::new()),
            },
            Placeholder::Line => match &spec.command {
                Command::Shell(line) => Ok(line.clone()),
                Command::Argv(_) => Err(Missing("it needs a command that is one text, not a list".to_owned())),
            },
            // Read as words of their own, see `Template::read`.
            Placeholder::Args | Placeholder::Rest | Placeholder::List(_) => Ok(String::new()),
        }
    }

    /// The first candidate of a choice that is there.
    fn choice(&self, name: &str) -> Result<String, Missing> {
        let candidates = self.definition.choices.get(name).map(Vec::as_slice).unwrap_or_default();
        candidates
            .iter()
            .find_map(|candidate| self.candidate(candidate))
            .ok_or_else(|| Missing(format!("nothing of what it takes as {name} is in {}", self.subject.working_dir)))
    }

    fn candidate(&self, candidate: &Candidate) -> Option<String> {
        let value = self.word(&candidate.value).ok()?;
        if !candidate.when.iter().all(|condition| condition.holds(self)) {
            return None;
        }
        if !value.contains('/') {
            return Some(value);
        }
        Some(self.subject.path(&value)).filter(|path| self.files.is_file(path))
    }

    /// The words of a list.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, Missing> {
        let Some(List { each, words }) = self.definition.lists.get(name) else { return Ok(Vec::new()) };
        let Subject { spec, env, .. } = self.subject;
        let entries: BTreeMap<&str, Option<String>> = match each {
            Each::Env => {
                let others = env.keys().map(|key| (key.as_str(), None));
                others.chain(spec.env.iter().map(|(key, value)| (key.as_str(), Some(value.clone())))).collect()
            }
            Each::Ports => spec.ports.iter().map(|(key, port)| (key.as_str(), Some(port.to_string()))).collect(),
        };
        let mut made = Vec::new();
        for (key, value) in &entries {
            for word in words {
                made.push(self.joined(word, Some((key, value.as_deref())), str::to_owned)?);
            }
        }
        Ok(made)
    }
}

/// A command line's first word and the rest, as they are written.
pub(crate) fn split(line: &str) -> (&str, &str) {
    let line = line.trim();
    line.split_once(char::is_whitespace).map_or((line, ""), |(first, rest)| (first, rest.trim_start()))
}
