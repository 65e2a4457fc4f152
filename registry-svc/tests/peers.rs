//! Replicas that talk to each other over real sockets. Behind them stand
//! scripted doors: what consensus makes of it is proved elsewhere.

// Outside of `#[test]` functions, too, a test may end by a panic.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

#[path = "peers/introductions.rs"]
mod introductions;
#[path = "peers/life.rs"]
mod life;
#[path = "peers/order.rs"]
mod order;
#[path = "peers/slow.rs"]
mod slow;
#[path = "peers/snapshots.rs"]
mod snapshots;
#[path = "peers/strangers.rs"]
mod strangers;
#[path = "peers/support/mod.rs"]
mod support;
