//! The forced way on when a majority of the voters is lost: offline, from one
//! directory, to a new cluster of one in a higher epoch. What that keeps and may
//! lose is decided in `registry_quorum::recovery`; here it is done.
//!
//! ```text
//! DIR/{log,state,snapshots} ─ copied ─▶ DIR/recovering/work ─ opened, read ─▶ Recovery (to be confirmed)
//!   ─ yes ─▶ all entries applied ─▶ DIR/recovering/{snapshots,log,identity} ─ ready ─▶ swapped
//! DIR/before-epoch-N/   what was there before; nothing of it is lost
//! ```
//! Nothing in the directory changes before the new one is complete and durable;
//! being cut off later is gone on with by the next call.

mod error;
mod evidence;
mod renewal;
mod swap;

pub use error::RecoveryError;

use crate::home::{Found, Home, Identity};
use evidence::Evidence;
use registry_quorum::recovery::Recovery;
use std::path::Path;

/// A directory that can be recovered from, locked.
pub struct Prepared {
    home: Home,
    identity: Identity,
    evidence: Evidence,
    recovery: Recovery,
}

/// Looks at a directory: what a recovery from it would keep, and may lose.
/// `None`: one that was confirmed before and cut off has been finished now.
///
/// # Errors
/// It is in use, damaged, or there is a better way.
pub fn prepare(path: &Path) -> Result<Option<Prepared>, RecoveryError> {
    let home = Home::lock(path)?;
    if swap::is_ready(home.path())? {
        swap::finish(home.path())?;
        return Ok(None);
    }
    let Found::Founded(identity) = home.look()? else {
        return Err(RecoveryError::NotFounded(home.path().to_owned()));
    };
    let evidence = Evidence::read(&home, &identity)?;
    let recovery = registry_quorum::recovery::plan(std::slice::from_ref(evidence.remains()), |_, _| true)?;
    Ok(Some(Prepared { home, identity, evidence, recovery }))
}

impl Prepared {
    /// What it keeps and may lose; `Display` is what an operator reads before
    /// saying yes.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Does it. On return the directory is that of the only member of the
    /// cluster's next epoch.
    ///
    /// # Errors
    /// The system said no; the directory is then as it was, or the next call
    /// finishes it.
    pub fn carry_out(self) -> Result<Recovery, RecoveryError> {
        let Self { home, identity, evidence, recovery } = self;
        renewal::renew(&home, &identity, evidence, &recovery)?;
        swap::finish(home.path())?;
        Ok(recovery)
    }

    /// Leaves the directory as it was.
    ///
    /// # Errors
    /// The copy cannot be removed.
    pub fn abandon(self) -> Result<(), RecoveryError> {
        let Self { home, evidence, .. } = self;
        evidence.close();
        swap::clear(home.path())
    }
}
