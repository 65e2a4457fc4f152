//! A replica among others: how it comes to be one, whom it lets in, where the
//! others are.
//!
//! ```text
//! empty directory ─ founding ─▶ identity, founders ─▶ consensus
//!                    │ asks and answers introductions, takes the plan
//! links ─ registrar ─┴─ acquaint ─ whoever has no address yet is looked for at --peers
//! ```
//!
//! What is decided stands in `registry_quorum::founding`.

mod acquaint;
mod founding;
mod myself;
mod registrar;

pub(crate) use acquaint::acquaint;
pub(crate) use founding::{Settled, settle};
pub(crate) use myself::Myself;
pub(crate) use registrar::Gatekeeper;
