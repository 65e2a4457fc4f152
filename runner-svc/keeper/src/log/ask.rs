//! What the keeper's loop and the scribe say to each other.

use super::file::News;
use super::json::Json;
use super::state::OutputState;
use super::wire::Wire;
use process_model::spec::LogPolicy;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

/// An output: its run, and which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) run: u64,
    pub(crate) index: usize,
}

/// States of outputs.
pub(crate) type States = BTreeMap<Key, OutputState>;

/// To the scribe.
pub(super) enum Ask {
    /// Open the files of a run that is about to begin. Nothing is read before `Begin`.
    Open { outputs: Vec<(Key, Arc<Wire>, PathBuf)>, opened: SyncSender<io::Result<()>> },
    /// The program runs: its output is kept so.
    Begin { key: Key, policy: Option<LogPolicy>, json: Option<Box<Json>> },
    /// Go on where another process was.
    Restore { key: Key, wire: Arc<Wire>, state: Box<OutputState> },
    /// Write what is in the pipes of a run now.
    Drain { run: u64, done: SyncSender<()> },
    /// Keep an output so from now on.
    KeepBy { key: Key, policy: LogPolicy },
    /// Tell where the outputs of a run are.
    Tell { run: u64, states: SyncSender<States> },
    /// Nothing more comes of a run.
    Close { run: u64 },
    /// Tell in a file what is missing of runs that are over.
    Count(Missed),
    /// Write a line into the diary.
    Say(String),
    /// Give everything back, unless nobody waits for it any more.
    Give { states: SyncSender<States>, waits: Arc<AtomicBool> },
    /// Finish everything.
    End { done: SyncSender<()> },
}

impl Ask {
    /// The run that it is about.
    pub(super) fn run(&self) -> Option<u64> {
        match self {
            Self::Open { outputs, .. } => outputs.first().map(|(key, ..)| key.run),
            Self::Begin { key, .. } | Self::Restore { key, .. } | Self::KeepBy { key, .. } => Some(key.run),
            Self::Drain { run, .. } | Self::Tell { run, .. } | Self::Close { run } => Some(*run),
            Self::Count(_) | Self::Say(_) | Self::Give { .. } | Self::End { .. } => None,
        }
    }
}

/// What is missing of runs that began and ended while the disk hung.
pub(super) struct Missed {
    pub(super) path: PathBuf,
    /// As for the last of them.
    pub(super) policy: Option<LogPolicy>,
    pub(super) json: Option<Box<Json>>,
    pub(super) bytes: u64,
}

/// From the scribe.
pub(super) enum Told {
    News(Key, News),
    /// Every writer has closed it, and everything is in the file.
    Closed(Key),
}
