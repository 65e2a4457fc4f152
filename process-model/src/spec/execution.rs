//! How a program is executed: identity, limits of the kernel, scheduling.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a program gets from the kernel beside its arguments and environment.
/// The default changes nothing: what the runner has, the program has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Execution {
    /// Mode bits that new files do not get, 0 to 0o777; `None`: 0o022.
    pub umask: Option<u32>,
    /// Primary group, name or number; `None`: the user's.
    pub group: Option<String>,
    /// Supplementary groups, names or numbers; `None`: the user's.
    pub supplementary_groups: Option<Vec<String>>,
    /// Resource limits (getrlimit(2)).
    pub rlimits: BTreeMap<Resource, Rlimit>,
    /// Scheduling priority, -20 (first) to 19 (last).
    pub nice: Option<i8>,
    /// Priority of its reads and writes.
    pub io_priority: Option<IoPriority>,
    /// How soon the kernel kills it when memory is out, -1000 (never) to 1000.
    pub oom_score_adj: Option<i16>,
    /// CPUs that it may run on; empty: all that the runner may.
    pub cpu_affinity: Vec<u16>,
    /// Nothing that it executes gains privileges (PR_SET_NO_NEW_PRIVS).
    pub no_new_privs: bool,
    /// Absolute paths of files of `NAME=VALUE` lines, under the environment of
    /// the spec, in order; a path that begins with `-` may be missing.
    pub env_files: Vec<String>,
    /// Environment under these files: that of the whole process file, which a
    /// file of this process overrides (S3.3). Empty without `env_files`: it is
    /// part of the spec's own environment then.
    pub base_env: BTreeMap<String, String>,
}

impl Execution {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A limit of the kernel; soft is at most hard. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// What is enforced.
    pub soft: Option<u64>,
    /// What the program may raise the soft limit to.
    pub hard: Option<u64>,
}

/// What a limit is about (getrlimit(2)); bytes, seconds or counts as there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Address space, bytes.
    As,
    /// Core file, bytes.
    Core,
    /// CPU time, seconds.
    Cpu,
    /// Data segment, bytes.
    Data,
    /// Largest file, bytes.
    Fsize,
    /// Locked memory, bytes.
    Memlock,
    /// Bytes in message queues.
    Msgqueue,
    /// Ceiling of nice, 20 less the value.
    Nice,
    /// Open files.
    Nofile,
    /// Processes of the user.
    Nproc,
    /// Real-time priority.
    Rtprio,
    /// Queued signals.
    Sigpending,
    /// Stack, bytes.
    Stack,
}

impl Resource {
    /// Every one that may be set. `locks` is not among them: it has had no
    /// effect since Linux 2.4.25, and the keeper marks trees with it.
    pub const ALL: [Self; 13] = [
        Self::As,
        Self::Core,
        Self::Cpu,
        Self::Data,
        Self::Fsize,
        Self::Memlock,
        Self::Msgqueue,
        Self::Nice,
        Self::Nofile,
        Self::Nproc,
        Self::Rtprio,
        Self::Sigpending,
        Self::Stack,
    ];

    /// The word for it in documents: `RLIMIT_…` without its prefix, in small
    /// letters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::As => "as",
            Self::Core => "core",
            Self::Cpu => "cpu",
            Self::Data => "data",
            Self::Fsize => "fsize",
            Self::Memlock => "memlock",
            Self::Msgqueue => "msgqueue",
            Self::Nice => "nice",
            Self::Nofile => "nofile",
            Self::Nproc => "nproc",
            Self::Rtprio => "rtprio",
            Self::Sigpending => "sigpending",
            Self::Stack => "stack",
        }
    }
}

/// Priority of reads and writes (ioprio_set(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoPriority {
    /// The class.
    pub class: IoClass,
    /// 0 (first) to 7 (last); without meaning for `idle`.
    pub level: u8,
}

/// Class of an I/O priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IoClass {
    /// Before everybody else; needs CAP_SYS_ADMIN or CAP_SYS_NICE.
    Realtime,
    /// By level.
    BestEffort,
    /// When nobody else wants the disk.
    Idle,
}

impl IoClass {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Realtime, Self::BestEffort, Self::Idle];

    /// The word for it in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::BestEffort => "best-effort",
            Self::Idle => "idle",
        }
    }
}
