//! What becomes of an instance's output.

use super::limits::default;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How output is kept. Holds for files of the runner's own; a `log_file` that
/// is somebody else's is only appended to, unless the spec has a `logs` group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogPolicy {
    /// Bytes after which a file is rotated, at the end of a line.
    pub max_size: u64,
    /// Age after which a file is rotated.
    pub max_age: Option<Duration>,
    /// Rotated files that are kept of each output.
    pub max_files: u32,
    /// How rotated files are compressed.
    pub compress: Compression,
    /// Time that rotated files are kept, also after the instance is gone;
    /// `None`: as long as the other rules let them.
    pub retention: Option<Duration>,
    /// Bytes of all files of the process on a node: the oldest rotated ones go
    /// first. `None`: no limit.
    pub quota: Option<u64>,
    /// What is written.
    pub format: LogFormat,
    /// Standard error goes to the file of standard output, in the order of
    /// writing.
    pub merge: bool,
    /// What happens when the disk does not take what the program writes.
    pub when_full: WhenFull,
}

impl Default for LogPolicy {
    fn default() -> Self {
        Self {
            max_size: default::LOG_MAX_SIZE,
            max_age: None,
            max_files: default::LOG_MAX_FILES,
            compress: Compression::Zstd,
            retention: None,
            quota: None,
            format: LogFormat::Raw,
            merge: false,
            when_full: WhenFull::Drop,
        }
    }
}

/// How rotated files are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip(1), `.gz`.
    Gzip,
    /// zstd(1), `.zst`.
    #[default]
    Zstd,
}

impl Compression {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::None, Self::Gzip, Self::Zstd];

    /// The word for it in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// What is written to log files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// The bytes as the program wrote them.
    #[default]
    Raw,
    /// A JSON object a line, with the field names of the Elastic Common Schema.
    Ecs,
    /// A JSON object a line, with the field names of OpenTelemetry's log data
    /// model.
    Otel,
}

impl LogFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Ecs, Self::Otel];

    /// The word for it in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Ecs => "ecs",
            Self::Otel => "otel",
        }
    }
}

/// What happens when the disk does not take what the program writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The program goes on; a line in the file tells how many bytes are missing.
    #[default]
    Drop,
    /// The program waits in its write(2) until there is room.
    Block,
}

impl WhenFull {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Drop, Self::Block];

    /// The word for it in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Block => "block",
        }
    }
}
