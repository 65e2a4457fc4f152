//! What runner and keeper say to each other.
//!
//! Messages are MessagePack maps with field names: a later version adds fields
//! with defaults and both sides ignore what they do not know. The version is
//! exchanged first, so that a keeper of the version before can be spoken to.

use process_model::ExitStatus;
use serde::{Deserialize, Serialize};

/// Version of this protocol.
pub const VERSION: u32 = 1;

/// From the runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// First message of a connection; a new connection replaces the older.
    Hello {
        /// The runner's protocol version.
        version: u32,
    },
    /// Start a program. Answered by `Spawned` or `SpawnFailed`. A run that is
    /// there already is not started again.
    Spawn(Box<SpawnRequest>),
    /// Send a signal to every process of a run's tree.
    SignalTree {
        /// The run.
        run: u64,
        /// The signal's number.
        signal: i32,
    },
    /// The run's ending has been taken in: drop its record.
    Forget {
        /// The run.
        run: u64,
    },
    /// End the keeper; refused while anything of a run is alive.
    Shutdown,
}

/// A program to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnRequest {
    /// Names the run; unique on the node for ever.
    pub run: u64,
    /// The instance, as `web-1`.
    pub instance: String,
    /// The program and its arguments. A program without `/` is looked for in
    /// the `PATH` of `env`.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub working_dir: String,
    /// Who to run as; `None`: as the keeper.
    pub identity: Option<Identity>,
    /// File that standard output is appended to.
    pub stdout: String,
    /// File that standard error is appended to; the same path as `stdout`
    /// merges the two in the order of writing.
    pub stderr: String,
}

/// A Unix identity, resolved by the runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// From the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Answer to `Hello`.
    Welcome {
        /// The keeper's protocol version.
        version: u32,
        /// The keeper's process id.
        pid: u32,
        /// Every run that it holds, ended ones too.
        runs: Vec<RunRecord>,
    },
    /// The program runs.
    Spawned {
        /// The run.
        run: u64,
        /// Its main process.
        pid: u32,
        /// When that began, in clock ticks since boot.
        start_time: u64,
        /// The same in nanoseconds since 1970.
        started_at: i64,
    },
    /// The program could not be started; nothing of it is left.
    SpawnFailed {
        /// The run.
        run: u64,
        /// Stage, as `exec`.
        stage: String,
        /// What was tried and the kernel's reason.
        message: String,
    },
    /// The main process ended; everything that it wrote is in its files.
    Exited {
        /// The run.
        run: u64,
        /// How it ended, and what is left.
        ending: Ending,
    },
    /// The last process of a tree ended, after the main process.
    TreeEmptied {
        /// The run.
        run: u64,
    },
    /// `Shutdown` was refused.
    ShutdownRefused {
        /// Runs that are alive.
        alive: u32,
    },
}

/// A run, as the keeper knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run.
    pub run: u64,
    /// The instance.
    pub instance: String,
    /// Its main process.
    pub pid: u32,
    /// When the main process began, in clock ticks since boot
    /// (`/proc/PID/stat`, field 22).
    pub start_time: u64,
    /// When it began, in nanoseconds since 1970.
    pub started_at: i64,
    /// How long it has been running or ran, in nanoseconds.
    pub age: u64,
    /// How it ended; `None` while it lives.
    pub ending: Option<Ending>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Code or signal of the main process.
    pub status: ExitStatus,
    /// When, in nanoseconds since 1970.
    pub at: i64,
    /// Whether nobody of the tree is left.
    pub tree_empty: bool,
}
