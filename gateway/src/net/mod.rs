//! The port: connections in, requests out to the [`crate::door`]. Bounded in
//! number, in the time to their first request, and in the time to their end.

mod connection;
mod listener;
mod opening;

pub(crate) use listener::serve;
