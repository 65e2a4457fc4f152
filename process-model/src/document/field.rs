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
    /// A whole number that may be negative.
    Signed(RangeInclusive<i64>),
    /// A number.
    Number(RangeInclusive<f64>),
    /// A duration.
    Duration(RangeInclusive<Duration>),
    /// A number of bytes.
    Size(RangeInclusive<u64>),
    /// Permission bits, in octal digits.
    Mode,
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// `true`; there is nothing else to say.
    Yes,
    /// A regular expression.
    Pattern,
    /// A signal, by name or number.
    Signal,
    /// Texts by name.
    TextMap,
    /// A text, number or boolean, or a list of them.
    Literals,
    /// A path that may be marked as optional, or a list of such.
    OptionalPaths,
    /// A whole number, or a list of them.
    Integers(RangeInclusive<u32>),
    /// CPU numbers and ranges of them: one, or a list.
    Cpus,
    /// HTTP status codes and ranges of them: one, or a list.
    Statuses,
    /// A command line, or a program and its arguments.
    Command,
    /// Ports by name, or a list of ports.
    Ports,
    /// A port, or the name of one of `ports`.
    PortOrName,
    /// Where a socket listens: an address, a port, or a path.
    Listen,
    /// A limit of the kernel: a number, or `unlimited`.
    Rlimit,
    /// A map of these fields.
    Group(&'static Group),
    /// A list of maps of these fields.
    Groups(&'static Group),
    /// A word, or a map of these fields.
    WordOrGroup(fn() -> Vec<&'static str>, &'static Group),
    /// A text, or a map of these fields.
    TextOrGroup(&'static Group),
    /// A command, or a map of these fields.
    CommandOrGroup(&'static Group),
    /// Limits of the kernel by these names: each one value, or a map of these
    /// fields.
    Rlimits(fn() -> Vec<&'static str>, &'static Group),
    /// Sockets by name: each where it listens, or a map of these fields.
    Sockets(&'static Group),
    /// Names of processes: one, a list, or a map from name to one of these
    /// words or a map of these fields.
    Dependencies(fn() -> Vec<&'static str>, &'static Group),
    /// Names of ours: one, or a list.
    Names,
    /// Conditions on nodes: one, or a list.
    Constraints,
    /// A number of instances, or a share of them.
    Share,
    /// `true`, `false`, or a map of these fields.
    FlagOrGroup(&'static Group),
    /// Processes by name, or a list of them.
    Processes,
}

impl Shape {
    /// The fields inside, if it may be a map of ours.
    pub(super) fn group(&self) -> Option<&'static Group> {
        match self {
            Self::Group(group)
            | Self::Groups(group)
            | Self::WordOrGroup(_, group)
            | Self::TextOrGroup(group)
            | Self::CommandOrGroup(group)
            | Self::FlagOrGroup(group)
            | Self::Rlimits(_, group)
            | Self::Sockets(group)
            | Self::Dependencies(_, group) => Some(group),
            Self::Text
            | Self::Literal
            | Self::Name
            | Self::KnownName(_)
            | Self::Path
            | Self::Flag
            | Self::Integer(_)
            | Self::Signed(_)
            | Self::Number(_)
            | Self::Duration(_)
            | Self::Size(_)
            | Self::Mode
            | Self::Word(_)
            | Self::Yes
            | Self::Pattern
            | Self::Signal
            | Self::TextMap
            | Self::Literals
            | Self::OptionalPaths
            | Self::Integers(_)
            | Self::Cpus
            | Self::Statuses
            | Self::Command
            | Self::Ports
            | Self::PortOrName
            | Self::Listen
            | Self::Rlimit
            | Self::Names
            | Self::Constraints
            | Self::Share
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
    Size(u64),
}

/// What one map has to have, beside the fields that are required.
pub(super) enum Choice {
    /// Nothing more.
    Free,
    /// Exactly one of these fields.
    One(&'static [&'static str]),
    /// One of these fields at least; which go together is the reader's.
    Some(&'static [&'static str]),
}

impl Choice {
    /// The fields of which one has to be there; empty if none has to.
    pub(super) fn names(&self) -> &'static [&'static str] {
        match self {
            Self::Free => &[],
            Self::One(names) | Self::Some(names) => names,
        }
    }
}

/// The fields of one map.
pub(super) struct Group {
    /// Its name in the JSON Schema.
    pub(super) id: &'static str,
    /// What it is, as "a process".
    pub(super) noun: &'static str,
    /// Its fields, in parts that maps may share.
    pub(super) parts: &'static [&'static [Field]],
    /// What it has to have.
    pub(super) choice: Choice,
    /// Fields that mean something only beside another: the field, the other.
    pub(super) needs: &'static [(&'static str, &'static str)],
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
