//! The keeper: a tiny process that outlives its runner. It spawns instances,
//! is their parent and reaper, holds their output pipes and writes their log
//! files. It decides nothing: the runner tells it what to do over a Unix
//! socket and may die, be upgraded and come back at any time. One thread does
//! all of this but the writing, for which there is another: it alone waits
//! when a disk hangs.
//!
//! ```text
//!  runner ──Request──▶ keeper ──clone/exec──▶ instances
//!         ◀──Event────        ◀──SIGCHLD─────
//!                             ◀──pipes──── stdout, stderr ──▶ log files
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`protocol`] | the messages, versioned |
//! | [`frame`], [`passing`] | messages on a byte stream, and descriptors with them |
//! | `keeper` | the loop: one event in, what follows done |
//! | `casualties` | whom the kernel killed for lack of memory |
//! | `reap` | endings in, what is left of a tree out; signals to trees |
//! | `run` | one run |
//! | [`log`] | its outputs, from pipe to file |
//! | `orphans`, `mark` | whose processes are those that lost their parent |
//! | `tree` | who descends from whom |
//! | `launch` | a program started as its request says |
//! | `cgroup` | what holds a tree together and limits it |
//! | `sockets`, `notify` | what programs listen on, and what they say of themselves |
//! | `fences` | until when singletons may run |
//! | `held` | both, and cgroups, over the life of a keeper process |
//! | `resume` | how a run, and a whole keeper, outlive a keeper process |
//! | `diary` | `keeper.log` |
//! | `connection` | the runner's end of the socket |
//! | `sys` | the system calls: the only `unsafe` of the product |

// Both end the process when the other side is a full disk or a closed pipe: `diary` is for words.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod build_name;
mod casualties;
mod cgroup;
mod connection;
mod diary;
pub mod entry;
mod epoll;
mod fences;
pub mod frame;
mod held;
mod keeper;
mod launch;
pub mod log;
mod mark;
mod notify;
mod orphans;
pub mod passing;
pub mod protocol;
mod reap;
mod resume;
mod run;
mod runs;
mod sockets;
mod sys;
mod tree;

pub use build_name::build;
pub use entry::{RunMarks, keeper_lives, main_if_asked, socket_path, spawn_keeper, wait_until_gone};
pub use launch::candidates;
pub use sys::code_pages::give_back_code;
