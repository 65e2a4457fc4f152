//! Output of programs, on its way from pipes to files.
//!
//! ```text
//!  pipe ──▶ output ──▶ (json: a line an object) ──▶ file ──▶ active file
//!             │ holds back what the disk        │ rotation ──▶ files rotated away
//!             │ does not take (when_full: block)│ index_writer ──▶ .idx
//! ```
//!
//! | file | what |
//! |---|---|
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
mod file;
mod follow;
mod gap;
pub mod index;
mod index_writer;
mod json;
mod kept;
pub mod names;
mod output;
mod rotation;
mod state;
mod turn;

pub(crate) use output::Output;
pub(crate) use state::OutputState;
