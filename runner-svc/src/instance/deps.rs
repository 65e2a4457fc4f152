//! What all instances share.

use crate::clock::RunIds;
use crate::io::journal::Journal;
use crate::io::keeper_link::KeeperLink;
use crate::io::log_rules::Cooldowns;
use crate::io::memory::MemoryWatch;
use crate::io::program::Surroundings;
use crate::lease::NodeLease;
use crate::metrics::Counters;
use crate::notice::Notice;
use std::sync::Arc;
use tokio::sync::broadcast;

/// What all instances share.
#[derive(Debug)]
pub(crate) struct Deps {
    pub(crate) keeper: KeeperLink,
    pub(crate) journal: Journal,
    pub(crate) surroundings: Arc<Surroundings>,
    pub(crate) run_ids: Arc<RunIds>,
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(crate) counters: Counters,
    /// When log rules fired last.
    pub(crate) cooldowns: Cooldowns,
    /// Until when singletons may run.
    pub(crate) lease: NodeLease,
    /// Weighs the trees of those whose policy asks for it.
    pub(crate) memory: MemoryWatch,
}
