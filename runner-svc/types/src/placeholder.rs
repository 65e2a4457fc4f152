//! The names that may stand in `{{…}}`, and where each may stand.

use std::collections::BTreeSet;

/// What stands in `{{…}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// All arguments of the process's command, a word each.
    Args,
    /// The first of them.
    First,
    /// All but the first, a word each.
    Rest,
    /// The process's command as one text.
    Line,
    /// The process's port, else the type's.
    Port,
    /// The process's name.
    Process,
    /// The instance's id.
    Instance,
    /// The instance's number.
    Index,
    /// The folder.
    WorkingDir,
    /// A variable that the process sets.
    Env(String),
    /// One of the definition's `choices`.
    Choice(String),
    /// One of the definition's `lists`.
    List(String),
    /// Inside of a list: the name of the entry.
    Key,
    /// Inside of a list: the value of the entry.
    Value,
}

/// Words that choices and lists cannot be called.
pub(crate) const RESERVED: [&str; 11] =
    ["args", "first", "rest", "line", "port", "process", "instance", "index", "working_dir", "key", "value"];

/// Where a text stands: it decides which placeholders mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A condition, or a candidate of a choice.
    Condition,
    /// A value of `env`.
    Env,
    /// A word of a list.
    List,
    /// A word of a command.
    Command,
}

/// What a definition calls its choices and lists.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) choices: BTreeSet<String>,
    pub(crate) lists: BTreeSet<String>,
}

impl Names {
    /// What `name` stands for at `place`.
    pub(crate) fn placeholder(&self, name: &str, place: Place) -> Result<Placeholder, String> {
        let found = self.by_name(name).filter(|found| found.may_stand(place));
        found.ok_or_else(|| format!("{{{{{name}}}}} means nothing here; write one of {}", self.known(place)))
    }

    fn by_name(&self, name: &str) -> Option<Placeholder> {
        let fixed = match name {
            "args" => Some(Placeholder::Args),
            "first" => Some(Placeholder::First),
            "rest" => Some(Placeholder::Rest),
            "line" => Some(Placeholder::Line),
            "port" => Some(Placeholder::Port),
            "process" => Some(Placeholder::Process),
            "instance" => Some(Placeholder::Instance),
            "index" => Some(Placeholder::Index),
            "working_dir" => Some(Placeholder::WorkingDir),
            "key" => Some(Placeholder::Key),
            "value" => Some(Placeholder::Value),
            _ => None,
        };
        let variable = name.strip_prefix("env.").filter(|name| !name.is_empty());
        fixed
            .or_else(|| variable.map(|name| Placeholder::Env(name.to_owned())))
            .or_else(|| self.choices.contains(name).then(|| Placeholder::Choice(name.to_owned())))
            .or_else(|| self.lists.contains(name).then(|| Placeholder::List(name.to_owned())))
    }

    fn known(&self, place: Place) -> String {
        let names = RESERVED.iter().copied().chain(self.choices.iter().chain(&self.lists).map(String::as_str));
        let here = names.filter(|name| self.by_name(name).is_some_and(|found| found.may_stand(place)));
        here.chain(["env.NAME"]).map(|name| format!("{{{{{name}}}}}")).collect::<Vec<_>>().join(", ")
    }
}

impl Placeholder {
    fn may_stand(&self, place: Place) -> bool {
        match self {
            Self::Port | Self::Process | Self::Instance | Self::Index | Self::WorkingDir | Self::Env(_) => true,
            Self::First => matches!(place, Place::Condition | Place::Command),
            Self::Args | Self::Rest | Self::Line | Self::List(_) => place == Place::Command,
            // Choices depend on conditions, so a condition on a choice could turn in circles.
            Self::Choice(_) => matches!(place, Place::Env | Place::Command),
            Self::Key | Self::Value => place == Place::List,
        }
    }

    /// Whether it stands for any number of words instead of a part of one.
    pub(crate) fn is_many(&self) -> bool {
        match self {
            Self::Args | Self::Rest | Self::List(_) => true,
            Self::First
            | Self::Line
            | Self::Port
            | Self::Process
            | Self::Instance
            | Self::Index
            | Self::WorkingDir
            | Self::Env(_)
            | Self::Choice(_)
            | Self::Key
            | Self::Value => false,
        }
    }
}
