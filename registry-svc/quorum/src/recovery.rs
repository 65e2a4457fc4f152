//! The forced way on when a majority of the voters is gone for good: one
//! replica's directory becomes a new cluster of one. This says beforehand what
//! that keeps and what it may lose, as data and as text; the service does it.
//! Behind it stands the fence: whoever was not recovered is turned away.
//!
//! ```text
//! directories that survived ─ best ─▶ the one with the newest log
//!                           ─ plan ─▶ Recovery { keeps, may lose, new number, term, epoch } ─ yes ─▶ epoch + 1
//! a peer's header           ─ meet ─▶ let it in · turn it away · stop ourselves
//! ```

mod fence;
mod plan;
mod refusal;
mod remains;
mod report;

pub use fence::{Fence, Met};
pub use plan::{Recovery, best, plan};
pub use refusal::RecoveryRefusal;
pub use remains::Remains;
