//! This node's certificate: how it is got, kept and renewed. The key is made here and never leaves.
//!
//! ```text
//! runner-svc join: key ─▶ request + token ═══▶ registry ═══▶ certificate ─▶ STATE/identity/
//! runner-svc:      STATE/identity/ ─▶ Identity ─ two thirds of its life ─▶ next key ─▶ … ─▶ STATE/identity/
//! ```
//!
//! | file | what |
//! |---|---|
//! | `kept` | what is on disk |
//! | `join` | the first certificate, for a token |
//! | `renewal` | the next one, for the one before |

mod join;
mod kept;
mod renewal;

pub use join::{JoinError, JoinOptions, join};
pub use kept::{Kept, KeptError};
pub use renewal::keep_renewed;
