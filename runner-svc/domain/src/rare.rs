//! What few instances have: kept apart, so that the others do not pay for it.

use crate::runs::{Current, Occasion};
use crate::waiting::lease::{Lease, UNCONFIRMED};
use crate::{Machine, recent::Recent};
use process_model::Timestamp;
use std::time::Duration;

/// What few instances have.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Rare {
    /// Seen: what has to happen elsewhere before a start, in words.
    pub(crate) waiting_for: Option<String>,
    /// Seen: somebody has looked at what it depends on, and tells what changes.
    pub(crate) told: bool,
    /// Seen: when its schedule says that it is due next.
    pub(crate) next_due: Option<Timestamp>,
    /// Decided: a time came while it ran, and it runs once more after it.
    pub(crate) queued: Option<Occasion>,
    /// Decided: what the start that comes next is for.
    pub(crate) occasion: Option<Occasion>,
    /// Decided: the run that goes on, of what runs to an end.
    pub(crate) current: Option<Box<Current>>,
    /// Decided: restarts within the window of its limit.
    pub(crate) recent: Recent,
    /// Seen: what the program says of itself.
    pub(crate) status: String,
    /// Seen: the longest silence that the program asked for in this run.
    pub(crate) watchdog: Option<Duration>,
    /// Decided: how far a reload has come.
    pub(crate) reload: Reload,
    /// Seen: whether the registry holds this node for alive; counts for singletons.
    pub(crate) lease: Lease,
}

/// How far a reload has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Reload {
    /// None goes on; the last one, if there was one, is done.
    #[default]
    Idle,
    /// The hook goes on.
    Hook {
        /// It was asked for again meanwhile: what changed since the hook began
        /// may have come too late for it.
        again: bool,
    },
    /// SIGHUP was sent to a program that may say more about it.
    Signalled,
    /// The program said `RELOADING=1`, and not yet `READY=1`.
    Announced,
    /// The last one failed; why, in words.
    Failed(String),
}

impl Machine {
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(crate) fn waiting_for(&self) -> Option<&str> {
        if self.lacks_lease() {
            return Some(UNCONFIRMED);
        }
        self.rare.as_ref()?.waiting_for.as_deref()
    }

    pub(crate) fn reload(&self) -> &Reload {
        const IDLE: &Reload = &Reload::Idle;
        self.rare.as_ref().map_or(IDLE, |rare| &rare.reload)
    }

    /// A new run: what the one before said of itself is over.
    pub(crate) fn forget_words(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.status = String::new();
            rare.watchdog = None;
            rare.reload = Reload::Idle;
            if **rare == Rare::default() {
                self.rare = None;
            }
        }
    }
}
