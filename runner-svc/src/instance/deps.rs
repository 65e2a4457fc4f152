//! What all instances share.

use crate::clock::RunIds;
use crate::io::journal::Journal;
use crate::io::keeper_link::KeeperLink;
use crate::io::program::Surroundings;
use crate::notice::Notice;
use std::sync::Arc;
use tokio::sync::broadcast;

/// What all instances share.
#[derive(Debug, Clone)]
pub(crate) struct Deps {
    pub(crate) keeper: KeeperLink,
    pub(crate) journal: Journal,
    pub(crate) surroundings: Arc<Surroundings>,
    pub(crate) run_ids: Arc<RunIds>,
    pub(crate) notices: broadcast::Sender<Notice>,
}
