//! Control groups (cgroups(7)): what holds a tree together whatever its
//! processes do, and what limits it.
//!
//! | file | what |
//! |---|---|
//! | `find` | which hierarchies are there, and which are ours to write |
//! | `group` | one run's groups: who is in them, and the end of all of them |
//! | `spare` | groups of runs that are over, for the next ones |
//! | `limits` | limits written, and what the kernel counts against them |
//! | `watch` | being told when a limit is reached |
//!
//! When a run gets a group, by measurement (Linux 6.18; a start without is
//! 50 µs): to make one and be born in it (version 2, CLONE_INTO_CGROUP) costs 40
//! µs, so each run has one where we may make them, and one that is over leaves
//! its own to the next. To enter one by writing to
//! `cgroup.procs`, the only way in version 1, waits for a grace period of RCU:
//! up to 20 ms. So there only programs with limits get one, and the others are
//! held together by session, descent and mark, as everywhere else.

mod find;
mod group;
mod limits;
mod spare;
mod watch;

pub(crate) use find::Cgroups;
pub(crate) use group::{Group, Prepared};
