//! The words of the field table.

use std::ops::RangeInclusive;
use std::time::Duration;

/// One field that a process file may hold.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) default: Preset,
    /// A valid value, as JSON.
    pub(super) example: &'static str,
    /// One or two sentences.
    pub(super) about: &'static str,
}

/// What a field's value has to look like.
pub(super) enum Shape {
    /// A text.
    Text,
    /// A text, number or boolean, taken as it is written.
    Literal,
    /// A name of ours.
    Name,
    /// A name of ours: one of these, or one that only a node knows.
    KnownName(fn() -> Vec<&'static str>),
    /// A path; relative ones start from the folder of the file.
    Path,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Integer(RangeInclusive<u32>),
    /// A number.
    Number(RangeInclusive<f64>),
    /// A duration.
    Duration(RangeInclusive<Duration>),
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// A signal, by name or number.
    Signal,
    /// Texts by name.
    TextMap,
    /// A command line, or a program and its arguments.
    Command,
    /// Ports by name, or a list of ports.
    Ports,
    /// A port, or the name of one of `ports`.
    PortOrName,
    /// A map of these fields.
    Group(&'static Group),
    /// A word, or a map of these fields.
    WordOrGroup(fn() -> Vec<&'static str>, &'static Group),
    /// Processes by name, or a list of them.
    Processes,
}

impl Shape {
    /// The fields inside, if it may be a map of ours.
    pub(super) fn group(&self) -> Option<&'static Group> {
        match self {
            Self::Group(group) | Self::WordOrGroup(_, group) => Some(group),
            Self::Text
            | Self::Literal
            | Self::Name
            | Self::KnownName(_)
            | Self::Path
            | Self::Flag
            | Self::Integer(_)
            | Self::Number(_)
            | Self::Duration(_)
            | Self::Word(_)
            | Self::Signal
            | Self::TextMap
            | Self::Command
            | Self::Ports
            | Self::PortOrName
            | Self::Processes => None,
        }
    }
}

/// What holds when a field is left out.
pub(super) enum Preset {
    /// It has to be there.
    Required,
    /// Nothing; the description says what that means.
    Absent,
    Text(&'static str),
    Flag(bool),
    Integer(u32),
    Number(f64),
    Duration(Duration),
}

/// The fields of one map.
pub(super) struct Group {
    /// Its name in the JSON Schema.
    pub(super) id: &'static str,
    /// What it is, as "a process".
    pub(super) noun: &'static str,
    /// Its fields, in parts that maps may share.
    pub(super) parts: &'static [&'static [Field]],
    /// Fields of which exactly one has to be there; or none.
    pub(super) one_of: &'static [&'static str],
}

impl Group {
    pub(super) fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.parts.iter().copied().flatten()
    }

    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.fields().map(|field| field.name).collect()
    }
}
