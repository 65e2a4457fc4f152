//! The HTTP door: JSON under `/api/v1`, server-sent events, `/status` and
//! `/metrics`. Every route is one gRPC method, found by [`routes`] and built by
//! descriptor: what the contract has, JSON has.
//!
//! ```text
//! request ─▶ template ─▶ message (body, query, path, headers) ─▶ call ─▶ answer
//!            which route  faults: every one named, 400            JSON · sse · status · metrics
//! ```

mod answer;
mod body;
mod call;
mod codec;
mod dispatch;
mod headers;
mod json;
mod message;
mod query;
pub mod routes;
mod sse;
mod template;

pub(crate) use dispatch::Rest;
