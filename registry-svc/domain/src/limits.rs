//! How much the registry keeps. Bounded, because the whole state is in every
//! replica's memory and in every snapshot.

use std::time::Duration;

/// Nodes that may run an instance still after it was placed elsewhere; of more the oldest are forgotten.
pub const LEFT_COPIES: usize = 4;
/// Runs that are kept of an instance that runs to an end.
pub const RUNS: usize = 20;
/// Nodes of which is known how far their reports of an instance's runs were heard; as many as may have a copy, and one.
pub const RUN_NODES: usize = LEFT_COPIES + 1;
/// Processes in a cluster.
pub const PROCESSES: usize = 10_000;
/// Instances in a cluster, those being removed included.
pub const INSTANCES: usize = 100_000;
/// Actions that are over. Enough for the longest answer of `ListActions`.
pub const FINISHED_ACTIONS: usize = 1_000;
/// How long an action waits to be over. What is wanted of an instance stands
/// after that; an hour later nobody looks at the answer any more.
pub const ACTION_LIFE: Duration = Duration::from_secs(60 * 60);
/// The same of what leaves nothing that is wanted: a reload, a signal, an
/// order to a unit of systemd. Half an hour late, it is an accident.
pub const EDGE_LIFE: Duration = Duration::from_secs(10 * 60);
/// Replies kept for repeated request ids: with 10,000 changes a second still
/// ten seconds of them, which is longer than a fail-over and the time that
/// whoever forwards a request tries. About 25 MB when full.
pub const STORED_REPLIES: usize = 100_000;
/// How long a reply is kept while there are fewer, by the time of commands.
pub const REPLIES_KEPT_FOR: Duration = Duration::from_secs(10 * 60);
/// Replies that are kept however old they are.
pub const REPLIES_KEPT: usize = 1_000;
/// Replies that one command forgets at most; more than it can add.
pub const REPLIES_FORGOTTEN: usize = 16;
/// Names listed in one audit entry; the rest is counted.
pub const AUDIT_TARGETS: usize = 100;
/// Fewest events that may be kept: below, a watcher could not follow one
/// large `stop "*"`.
pub const MIN_EVENTS: u64 = 100;
/// Lines of output that an event keeps.
pub const EVENT_LOG_LINES: usize = 100;
/// Bytes of these lines: ten thousand events of nothing but failures are at
/// most 160 MiB, and a runner's hundred lines are seldom half of this.
pub const EVENT_LOG_BYTES: usize = 16 << 10;
/// Invitations that are not over. A cluster that grows by hundreds of nodes at once asks for some dozens at a time.
pub const INVITATIONS: u64 = 1_000;
/// Numbers of replicas that are ever given out; those of removed ones are kept, so that nobody gets them again.
pub const MEMBERS: u64 = 10_000;
