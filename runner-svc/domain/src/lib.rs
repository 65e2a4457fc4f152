//! The life of one instance as a pure state machine: what happened and what is
//! wanted go in, effects come out. No clock, no I/O, no randomness.
//!
//! ```text
//!             wanted                spawned                exited, not to restart
//!   AtRest ──────────▶ Starting ──────────▶ Running ───────────────────────────▶ AtRest
//!     ▲                   │ spawn failed        │ exited, to restart
//!     │                   ▼                     ▼
//!     │                Backoff ◀────────────────┤
//!     │ nobody left       │ timer ▶ Starting    │ stop, restart, silence, or children left behind
//!     └──────────────── Stopping ◀──────────────┘
//!                         │ nobody can be killed
//!                         ▼
//!                       Stuck   (never started again until the kernel says that nobody is left)
//! ```
//!
//! | file | topic |
//! |---|---|
//! | [`machine`] | the machine: its state, and `step` |
//! | `start`, `stop`, `ending`, `observing`, `wanting`, `adopting` | decisions by topic |
//! | [`backoff`] | the series of delays |
//! | [`order`] | when an action counts as done |
//! | [`memo`] | what survives the runner's own death |
//! | [`silence`] | when a log file counts as silent |

mod adopting;
pub mod backoff;
mod effect;
mod ending;
mod input;
pub mod machine;
pub mod memo;
mod observing;
pub mod order;
pub mod silence;
mod start;
mod state;
mod stop;
mod wanting;

pub use effect::{Effect, Timer};
pub use input::{Context, Input, RunId, SpawnError};
pub use machine::Machine;
pub use memo::Memo;
pub use order::{Order, Verdict};
pub use state::{AfterStop, Rest, State, StopStage, View};

#[cfg(test)]
mod tests;
