//! What runner and keeper say to each other.
//!
//! Messages are MessagePack maps with field names: a later version adds fields
//! with defaults and both sides ignore what they do not know. The version is
//! exchanged first, so that a keeper of the version before can be spoken to.

mod opaque;

pub use opaque::Opaque;

use process_model::ExitStatus;
use process_model::spec::{Execution, LogPolicy, ResourceLimits, Socket};
use serde::{Deserialize, Serialize};

/// Version of this protocol.
pub const VERSION: u32 = 3;

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
    /// Send a signal to the main process of a run alone.
    SignalMain {
        /// The run.
        run: u64,
        /// The signal's number.
        signal: i32,
    },
    /// Keep a run's output by this policy from now on.
    SetLogs {
        /// The run.
        run: u64,
        /// The policy.
        logs: LogPolicy,
    },
    /// The instance has gone, or has other sockets now: close those that are
    /// held for it and are not among `keep`.
    CloseSockets {
        /// The instance.
        instance: String,
        /// Names of sockets that stay open.
        keep: Vec<String>,
    },
    /// Become this program, with everything that is held. Answered by a new
    /// `Welcome` on the same connection, or `UpgradeFailed`.
    Upgrade {
        /// Absolute path of the runner's program.
        program: String,
    },
    /// Take over a run from a keeper that was lost: comes with the descriptors
    /// of its `Handed`. Answered by `Spawned`, or `AdoptFailed`.
    Adopt {
        /// The run.
        run: u64,
        /// As the lost keeper has `Handed` it.
        state: Opaque,
        /// How it ended, if the lost keeper told.
        ending: Option<Ending>,
    },
    /// A main process ended that is no child of the keeper's: it was taken over
    /// from a keeper that was lost, and the runner collected it.
    Collected {
        /// The run.
        run: u64,
        /// How it ended.
        status: ExitStatus,
    },
    /// Everything of this instance, which is a singleton, has to be gone by then; replaces what was said before.
    Fence {
        /// The instance.
        instance: String,
        /// Its deadline; `None`: it is no singleton any more.
        fence: Option<Fence>,
    },
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

/// A program to start. The default names none and asks for nothing beyond it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A hook or a probe of the instance, and not its program: it has no
    /// sockets, no limits of its own and no rotation, and is in the instance's
    /// cgroup.
    #[serde(default)]
    pub is_task: bool,
    /// What the kernel gives it. Group names and environment files are already
    /// in `identity` and `env`.
    #[serde(default)]
    pub execution: Option<Box<Execution>>,
    /// Sockets that are held for the instance and passed to it.
    #[serde(default)]
    pub sockets: Vec<Socket>,
    /// Whether it gets a `NOTIFY_SOCKET`.
    #[serde(default)]
    pub notify: bool,
    /// How its output is kept; `None`: appended to, and nothing else.
    #[serde(default)]
    pub logs: Option<LogPolicy>,
    /// What its tree may use.
    #[serde(default)]
    pub limits: Option<ResourceLimits>,
    /// When everything of its instance has to be gone; `None`: it is no singleton.
    #[serde(default)]
    pub fence: Option<Fence>,
}

/// Until when a singleton may run, in nanoseconds of CLOCK_BOOTTIME.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// When the last heartbeat was sent that the registry has answered.
    pub confirmed: u64,
    /// When it gets SIGKILL, unless this is moved on.
    pub at: u64,
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
        /// What it is built from; another one than the runner's own is upgraded.
        #[serde(default)]
        build: String,
        /// How it holds trees together: `cgroup-v2`, `cgroup-v1` or `session`.
        #[serde(default)]
        containment: String,
        /// Why not better, in words; may be empty.
        #[serde(default)]
        containment_note: String,
    },
    /// What another keeper needs to take a run over, should this one be lost;
    /// replaces what was handed before. The first one comes before `Spawned`. Comes with the run's descriptors: its
    /// main process, its outputs and whatever is held for it.
    Handed {
        /// The run.
        run: u64,
        /// For a keeper to read.
        state: Opaque,
    },
    /// A run cannot be taken over; nothing was done to its processes.
    AdoptFailed {
        /// The run.
        run: u64,
        /// Why.
        message: String,
    },
    /// `Upgrade` was not possible; the keeper goes on as it was.
    UpgradeFailed {
        /// Why.
        message: String,
    },
    /// What a program said on its `NOTIFY_SOCKET`, as it said it: lines of
    /// `NAME=VALUE` (sd_notify(3)), at most 4 KiB.
    Notified {
        /// The run.
        run: u64,
        /// The datagram.
        text: String,
    },
    /// A log file was rotated: the old one may be compressed now.
    Rotated {
        /// The instance.
        instance: String,
        /// Absolute path of the file that was rotated away.
        path: String,
    },
    /// Output of a run cannot be written, or can be again.
    LogTrouble {
        /// The run.
        run: u64,
        /// What is wrong; empty: nothing any more.
        message: String,
        /// Bytes that are missing so far.
        dropped: u64,
    },
    /// A limit was reached, or would have been in observe mode.
    LimitReached {
        /// The run.
        run: u64,
        /// Which, and how, in words.
        message: String,
    },
    /// SIGKILL was sent to the tree some time ago, and these are still there:
    /// in uninterruptible sleep, or frozen by somebody else. Told again when
    /// others are left.
    Survivors {
        /// The run.
        run: u64,
        /// Who is left.
        pids: Vec<u32>,
    },
    /// The lease of a singleton is over, and the keeper has sent SIGKILL to what was left of it.
    Fenced {
        /// The run.
        run: u64,
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
    /// What it said on its `NOTIFY_SOCKET` and still holds: `READY`, `STATUS`,
    /// `STOPPING`, `MAINPID`, `WATCHDOG_USEC`, as lines.
    #[serde(default)]
    pub notified: String,
    /// Whether it is a hook or a probe.
    #[serde(default)]
    pub is_task: bool,
    /// How its tree is held together.
    #[serde(default)]
    pub containment: String,
    /// Files of its two outputs.
    #[serde(default)]
    pub outputs: Vec<String>,
    /// Until when it may run.
    #[serde(default)]
    pub fence: Option<Fence>,
    /// Whether that time has come, and it got SIGKILL.
    #[serde(default)]
    pub fenced: bool,
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
    /// Whether the kernel killed it because its memory was out.
    #[serde(default)]
    pub out_of_memory: bool,
}
