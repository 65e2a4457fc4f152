//! A log that no consensus runs on, for whoever recovers one by force.

use crate::library::{ConsensusError, read_record};
use crate::{Committed, Position};
use bytes::Bytes;

/// What an entry of the log says, as the log holds it.
///
/// # Errors
/// A later version wrote it.
pub fn read_entry(at: Position, bytes: Bytes) -> Result<Committed, ConsensusError> {
    read_record(at, bytes).map_err(|error| ConsensusError::Refused(error.to_string()))
}
