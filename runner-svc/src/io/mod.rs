//! One file for each outside thing.

pub(crate) mod boot;
pub(crate) mod file_watch;
pub(crate) mod intake;
pub(crate) mod journal;
pub(crate) mod keeper_link;
pub(crate) mod leftovers;
pub(crate) mod limits;
pub(crate) mod log_watch;
pub(crate) mod orphans;
pub(crate) mod probe;
pub(crate) mod program;
pub(crate) mod redial;
pub(crate) mod sampler;
pub(crate) mod session;
pub(crate) mod tail;
pub(crate) mod tails;
pub(crate) mod types;
pub(crate) mod users;
