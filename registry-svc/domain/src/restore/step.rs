//! The steps of a restore, as they stand in the log.

use super::Piece;
use process_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreStep {
    /// It begins.
    Begin(RestoreBegin),
    /// The next piece of its rows.
    Part(RestorePart),
    /// All pieces are there: the state is replaced.
    End {
        /// Which restore.
        id: String,
    },
    /// It is not gone on with.
    Abort {
        /// Which restore.
        id: String,
    },
}

impl RestoreStep {
    /// Whether it is the one that a user asks for; the others prepare it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        match self {
            Self::End { .. } => true,
            Self::Begin(_) | Self::Part(_) | Self::Abort { .. } => false,
        }
    }
}

/// What is to be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreBegin {
    /// Different for each restore.
    pub id: String,
    /// Whether to replace what is there.
    pub force: bool,
    /// Bytes of all pieces.
    pub bytes: u64,
    /// Digest of all rows.
    pub digest: [u8; 32],
    /// The state's part of the cluster's epoch afterwards.
    pub epoch: u64,
    /// The level that the rows were written at.
    pub level: u16,
}

/// A piece of the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePart {
    /// Which restore.
    pub id: String,
    /// The piece.
    pub piece: Arc<Piece>,
}

/// A restore that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoring {
    /// What is restored.
    pub begin: RestoreBegin,
    /// Pieces that are there.
    pub pieces: u32,
    /// Their bytes.
    pub bytes: u64,
    /// When the last one came.
    pub last: Timestamp,
}
