//! Output of programs, on its way from pipes to files. A thread of its own
//! moves it: a disk that hangs holds up nothing else.
//!
//! ```text
//!  pipe ──▶ output ──▶ (json: a line an object) ──▶ file ──▶ active file
//!             │ holds back what the disk        │ rotation ──▶ files rotated away
//!             │ does not take (when_full: block)│ index_writer ──▶ .idx
//! ```
//!
//! | file | what |
//! |---|---|
//! | `scribe` | the thread |
//! | `desk`, `ask`, `queue` | the keeper's loop asks it |
//! | `wire`, `pulse` | what both have: the pipes, and whether the thread gets on |
//! | `outlet` | what the loop knows of an output |
//! | [`index`], [`names`] | formats that readers share |
//! | `output` | a pipe: how much is moved at once, what is held back |
//! | `file`, `active` | the active file: append, count what is missing |
//! | `follow` | a name that went to another file |
//! | `kept` | by which policy, and what of that is in memory |
//! | `rotation` | when and how a file is rotated away; which ones are too many |
//! | `index_writer` | times, beginnings of runs |
//! | `json` | lines as objects, ECS or OpenTelemetry |
//! | `gap` | the line that tells of missing bytes |
//! | `state` | an output as data, for a successor of this process |
//! | `turn` | the keeper's loop: its part about output |

mod active;
mod ask;
mod desk;
mod file;
mod follow;
mod gap;
pub mod index;
mod index_writer;
mod json;
mod kept;
pub mod names;
mod outlet;
mod output;
mod pulse;
mod queue;
mod rotation;
mod scribe;
mod state;
mod turn;
mod wire;

pub(crate) use ask::{Key, States};
pub(crate) use desk::Desk;
pub(crate) use outlet::Outlet;
pub(crate) use state::OutputState;
pub(crate) use wire::Wire;
