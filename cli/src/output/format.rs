//! `-o`.

use clap::ValueEnum;

/// The form of what a verb prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For people, with more columns.
    Wide,
    /// One JSON document; a stream that is followed gives one per line.
    Json,
    /// One YAML document; a stream that is followed gives several.
    Yaml,
    /// One JSON document per line.
    Jsonl,
    /// Names only, one per line, as `instance/web-1`.
    Name,
}

impl Format {
    /// Whether stdout belongs to a program.
    #[must_use]
    pub fn is_machine(self) -> bool {
        match self {
            Self::Json | Self::Yaml | Self::Jsonl | Self::Name => true,
            Self::Table | Self::Wide => false,
        }
    }
}
