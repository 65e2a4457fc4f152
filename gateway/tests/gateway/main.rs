//! The gateway with real clients over TCP in front and pretended services over
//! memory behind.

// A test fails by panicking, in its helper functions too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod changes;
mod docs;
mod grpc;
mod lifecycle;
mod nodes;
mod replicas;
mod rest;
mod sse;
mod support;
