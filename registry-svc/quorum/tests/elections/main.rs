//! The rules of `Elections`, one at a time; `tests/simulation` has them all at
//! once. Replica 2 of 1, 2 and 3 unless said otherwise; 1 leads term 5.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::wildcard_enum_match_arm)]

mod bench;
mod hand_over;
mod leading;
mod pre_votes;
mod suspicion;
