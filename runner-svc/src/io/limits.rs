//! The open-file limit of the process that hosts a runner. A runner holds
//! descriptors for each probe, log reading and connection, so it takes what
//! the system allows; programs get what pm itself was started with.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use std::sync::OnceLock;

/// Soft and hard limit as they were when this process began.
static BEGUN_WITH: OnceLock<(rlim_t, rlim_t)> = OnceLock::new();

/// Raises the soft limit to the hard one. Being refused changes nothing.
pub(crate) fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        BEGUN_WITH.get_or_init(|| (soft, hard));
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    });
    if let Err(e) = raised {
        tracing::warn!(error = %e, "cannot raise the limit of open files");
    }
}

/// Does something under the limit that this process began with: what is
/// started meanwhile inherits that one. Descriptors above it stay open; a new
/// one may be refused meanwhile, so it is for what is short and rare.
pub(crate) fn inherited<T>(act: impl FnOnce() -> T) -> T {
    let Some((soft, hard)) = BEGUN_WITH.get() else { return act() };
    let _ = setrlimit(Resource::RLIMIT_NOFILE, *soft, *hard);
    let outcome = act();
    let _ = setrlimit(Resource::RLIMIT_NOFILE, *hard, *hard);
    outcome
}
