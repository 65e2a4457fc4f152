//! The life of one instance as a pure state machine: what happened and what is
//! wanted go in, effects come out. No clock, no I/O, no randomness.
//!
//! ```text
//!             wanted              pre_start done     spawned                exited, not to restart
//!   AtRest ─────▶ Waiting ─▶ Starting ─────────▶ ──────────▶ Running ─────────────────────────────▶ AtRest
//!     ▲           (for others)  │ failed                       │ exited, to restart
//!     │                         ▼                              ▼
//!     │                      Backoff ◀─────────────────────────┤
//!     │                         │ timer ▶ Starting             │ stop, restart, ill, or children left behind
//!     │      post_stop done     │          nobody left         ▼
//!     └──────────── Cleaning ◀──┴──────────────────────── Stopping
//!                                                              │ nobody can be killed
//!                                                              ▼
//!                                                            Stuck   (until the kernel says that nobody is)
//! ```
//!
//! | file | topic |
//! |---|---|
//! | [`machine`] | the machine: what it knows, and `step` |
//! | `state`, `health`, `rare`, [`view`] | its states, and how they look from outside |
//! | `wanting`, `edit` | what is wanted, and what an edit of a spec asks for |
//! | `waiting`, `scheduled`, `start`, `hooks` | starts, also those that others or the clock decide; commands around a life |
//! | `readiness`, `liveness`, `notified`, `noticed` | what is seen of a running program |
//! | `stop`, `steps`, `ending`, `restart`, `recent` | the stop; endings, and what the restart policy makes of them |
//! | `reload`, `signal` | reading the configuration anew; a signal that somebody asked for |
//! | `adopting`, [`memo`] | what survives the runner's own death |
//! | [`order`], [`Leadership`] | when an action counts as done; whom a node obeys |
//! | [`dependency`], [`schedule`], `runs` | what instances wait for, and the order of a stop; when a run is due; which there were |
//! | [`notify`], [`silence`] | what a program says of itself; when a log file counts as silent |

mod adopting;
pub mod dependency;
mod edit;
mod effect;
mod ending;
mod health;
mod hooks;
mod input;
mod leadership;
mod liveness;
pub mod machine;
pub mod memo;
mod moment;
mod noticed;
mod notified;
pub mod notify;
pub mod order;
mod rare;
mod readiness;
mod recent;
mod reload;
mod restart;
pub mod runs;
pub mod schedule;
mod scheduled;
mod signal;
pub mod silence;
mod start;
mod state;
mod steps;
mod stop;
pub mod view;
mod waiting;
mod wanting;
mod words;

pub use effect::{Effect, Timer};
pub use health::Health;
pub use input::{Context, Input, Notification, RunId, SpawnError};
pub use leadership::Leadership;
pub use machine::Machine;
pub use order::{Order, Verdict};
pub use state::{AfterStop, Ended, Rest, State, Stop, StopStage};
pub use view::View;
pub use {memo::Memo, moment::Moment, recent::Recent};

#[cfg(test)]
mod tests;
