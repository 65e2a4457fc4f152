//! The keeper: a tiny, single-threaded process that outlives its runner. It
//! spawns instances, is their parent and reaper, holds their output pipes and
//! writes their log files. It decides nothing: the runner tells it what to do
//! over a Unix socket and may die, be upgraded and come back at any time.
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
//! | [`frame`] | messages on a byte stream |
//! | `keeper` | the loop: one event in, what follows done |
//! | `reap` | endings in, what is left of a tree out; signals to trees |
//! | `run`, `output`, `log_file` | one run and its outputs |
//! | `orphans`, `mark` | whose processes are those that lost their parent |
//! | `tree` | who descends from whom |
//! | `diary` | `keeper.log` |
//! | `connection` | the runner's end of the socket |
//! | `sys` | the system calls: the only `unsafe` of the product |

// Both end the process when the other side is a full disk or a closed pipe: `diary` is for words.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod connection;
mod diary;
pub mod entry;
mod epoll;
pub mod frame;
mod keeper;
mod log_file;
mod mark;
mod orphans;
mod output;
pub mod protocol;
mod reap;
mod run;
mod sys;
mod tree;

pub use entry::{keeper_lives, main_if_asked, socket_path, spawn_keeper, wait_until_gone};
