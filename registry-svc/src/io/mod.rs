//! Everything outside: one file for each.
//!
//! | module | outside thing |
//! |---|---|
//! | [`state_store`] | rows of the state, in sled |
//! | [`snapshot`] | snapshot files |
//! | `applied_record` | a position and its members, as they stand on disk |

pub(crate) mod applied_record;
pub(crate) mod failpoint;
pub mod snapshot;
pub mod state_store;
