//! What can go wrong around a process, made to happen. Each injector says how
//! often it struck, so that a run in which nothing went wrong is noticed; what
//! this machine does not offer fails the test, with the reason.
//!
//! | file | what |
//! |---|---|
//! | `netns` | partitions of any shape, loss, pulled cables, detours |
//! | `proxy` | wires that are slow, silent or cut |
//! | `relay` | what a runner and its registry say to each other, said twice or once more |
//! | `disk` | small, full, and after a power cut |
//! | `syscalls` | system calls that fail or take long |
//! | `clock` | a wrong wall clock |
//! | `tool` | the system's programs that this is made with |

pub mod clock;
mod disk;
mod netns;
mod proxy;
mod relay;
mod syscalls;
mod tool;

pub use disk::{Ballast, Disk, Image};
pub use netns::Net;
pub use proxy::{Proxy, Wire};
pub use relay::{Relay, Words};
pub use syscalls::Injection;
