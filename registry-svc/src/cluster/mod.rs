//! A replica among others: how it comes to be one, whom it lets in, where the
//! others are.
//!
//! ```text
//! empty directory ─ founding ─▶ identity, founders ─▶ consensus
//!                    │ asks and answers introductions, takes the plan
//! links ─ registrar ─┴─ acquaint ─ whoever has no address yet is looked for at --peers
//! --join ─ joining ─▶ identity          (the asked member: desk ─▶ enrolled, sent the log)
//! leader: steward, changes ─▶ who votes     every replica: announce ─▶ rows ─▶ directory ─▶ addresses
//! health ◀─ every replica ─▶ alarms
//! ```
//!
//! What is decided stands in `registry_quorum::{founding, members}`.

mod acquaint;
mod alarms;
mod announce;
mod changes;
mod desk;
mod directory;
mod founding;
mod health;
mod joining;
mod myself;
mod not_yet;
mod registrar;
mod steward;

pub(crate) use acquaint::acquaint;
pub(crate) use announce::announce;
pub(crate) use changes::{ChangeFault, Changed, carry_out, check};
pub(crate) use desk::Desk;
pub(crate) use directory::follow;
pub(crate) use founding::{Settled, settle};
pub(crate) use health::{health, progress};
pub(crate) use myself::Myself;
pub(crate) use registrar::Gatekeeper;
pub(crate) use steward::steward;
