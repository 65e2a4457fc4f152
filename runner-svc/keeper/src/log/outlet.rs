//! What the keeper's loop knows of an output; the file is the scribe's.

use super::state::OutputState;
use super::wire::Wire;
use process_model::spec::{LogFormat, LogPolicy, WhenFull};
use std::path::PathBuf;
use std::sync::Arc;

/// An output, seen from the loop.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) wire: Arc<Wire>,
    pub(crate) path: PathBuf,
    /// Nothing more comes. It stays for its path, until its run is forgotten.
    pub(super) closed: bool,
    /// Its program is to wait for the disk.
    pub(super) waits: bool,
    /// The end of a line may be missing when the program ends.
    pub(super) has_lines: bool,
    /// The loop reads it in the stead of the scribe.
    pub(super) in_stead: bool,
    /// The runner was told that the disk hangs.
    pub(super) told: bool,
    /// Bytes that are missing, as far as it was told.
    pub(super) lost: u64,
    /// Where it was when it began, until its run is handed for the first time.
    pub(crate) fresh: Option<Box<OutputState>>,
}

impl Outlet {
    pub(crate) fn new(wire: Wire, path: PathBuf) -> Self {
        let wire = Arc::new(wire);
        Self {
            wire,
            path,
            closed: false,
            waits: false,
            has_lines: false,
            in_stead: false,
            told: false,
            lost: 0,
            fresh: None,
        }
    }

    /// It is kept so.
    pub(crate) fn keep_by(&mut self, policy: Option<&LogPolicy>) {
        self.waits = policy.is_some_and(|policy| policy.when_full == WhenFull::Block);
        self.has_lines |= policy.is_some_and(|policy| policy.format != LogFormat::Raw);
    }

    /// Somebody may still write to it.
    pub(crate) fn is_open(&self) -> bool {
        !self.closed
    }

    /// Everything that came is in the file.
    pub(super) fn is_quiet(&self) -> bool {
        self.closed || !self.has_lines && self.wire.is_quiet()
    }
}
