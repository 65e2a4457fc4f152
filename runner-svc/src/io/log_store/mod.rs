//! Log files as a reader sees them: the active one and those that were rotated
//! away before it, compressed or not, as one history of bytes; and what becomes
//! of files that were rotated away.
//!
//! ```text
//!  keeper ──Rotated──▶ store ──▶ sweep: compress, retention, quotas
//!  web-1.stdout.log.…Z.zst  .…Z  web-1.stdout.log
//!        └──────── segments ────────┘ ──▶ plan (since, tail, cursor …) ──▶ reader ──▶ tail, lines
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`segment`] | one file of a history: listed, opened, decoded |
//! | [`cursor`] | a place in a history, for whoever comes back |
//! | [`plan`] | from what somebody wants to see to where reading begins and ends |
//! | [`reader`] | reading on from there, across rotation, truncation, replacement |
//! | [`watch`] | waiting for more |
//! | [`store`] | what is done with rotated files, and when |
//! | [`compress`], [`inventory`], [`rules`] | how; what there is; what goes |

pub(crate) mod compress;
pub(crate) mod cursor;
pub(crate) mod inventory;
pub(crate) mod plan;
pub(crate) mod reader;
pub(crate) mod rules;
pub(crate) mod segment;
pub(crate) mod store;
pub(crate) mod watch;

pub(crate) use store::Store;
