//! What is written down of a keeper. Read by the version before and the
//! version after: fields are only added, with defaults, and what is not known
//! is passed over.

use crate::fences::FenceImage;
use crate::held::HeldImage;
use crate::log::OutputState;
use crate::protocol::{Ending, Opaque};
use crate::sockets::SocketImage;
use serde::{Deserialize, Serialize};

/// A keeper between two programs. Descriptors by their number in the process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) lock: i32,
    pub(crate) listener: i32,
    /// Open-file limit that programs get.
    pub(crate) nofile: (u64, u64),
    #[serde(default)]
    pub(crate) runner: Option<ConnectionImage>,
    /// Each run with its descriptors, which its image refers to by place.
    #[serde(default)]
    pub(crate) runs: Vec<(RunImage, Vec<i32>)>,
    /// Sockets of all instances, with their descriptors.
    #[serde(default)]
    pub(crate) sockets: (Vec<SocketImage>, Vec<i32>),
    /// Until when singletons may run.
    #[serde(default)]
    pub(crate) fences: Vec<FenceImage>,
}

impl Image {
    /// Of all descriptors that it names.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = i32> {
        let runner = self.runner.iter().flat_map(|runner| runner.set.iter().chain([&runner.stream]));
        let runs = self.runs.iter().flat_map(|(_, numbers)| numbers);
        let all = runs.chain(&self.sockets.1).chain(runner).copied();
        all.chain([self.lock, self.listener])
    }
}

/// The connection to the runner, in the middle of whatever was being said.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ConnectionImage {
    pub(crate) stream: i32,
    #[serde(default)]
    pub(crate) version: Option<u32>,
    #[serde(default)]
    pub(crate) incoming: Opaque,
    /// Descriptors of the frame that is being received.
    #[serde(default)]
    pub(crate) set: Vec<i32>,
    #[serde(default)]
    pub(crate) outgoing: Opaque,
}

/// A run; what is as by default is not written, for the runner keeps one for
/// each. Times are of the monotonic clock, in nanoseconds: they hold for as
/// long as the process that the run is about.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunImage {
    pub(crate) run: u64,
    pub(crate) instance: String,
    pub(crate) pid: u32,
    pub(crate) start_time: u64,
    #[serde(default)]
    pub(crate) started_at: i64,
    #[serde(default)]
    pub(crate) started: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ending: Option<Ending>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) condemned: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fenced: bool,
    /// The parent of its main process, when that is not the keeper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reaper: Option<u32>,
    /// Place of the descriptor of its main process.
    #[serde(default)]
    pub(crate) pidfd: Option<u32>,
    #[serde(default)]
    pub(crate) outputs: [Option<OutputImage>; 2],
    /// What is held for it beside.
    #[serde(default)]
    pub(crate) held: HeldImage,
    /// Sockets of its instance, when it is handed on alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sockets: Vec<SocketImage>,
}

/// An output of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OutputImage {
    /// Place of the pipe's read end.
    pub(crate) pipe: u32,
    /// Where it goes, how it is kept, and how far it is.
    pub(crate) state: OutputState,
}
