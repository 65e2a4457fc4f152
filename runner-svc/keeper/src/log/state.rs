//! An output as data. With the pipe itself it is all that a successor of this
//! process needs: how far the file and the history are is in file and index.

use super::json::Json;
use crate::protocol::SpawnRequest;
use process_model::spec::{LogFormat, LogPolicy};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// An output between two processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OutputState {
    /// The file.
    pub(crate) path: PathBuf,
    /// How it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<LogPolicy>,
    /// Bytes of the program that are missing.
    pub(crate) lost: u64,
    /// Those of them that the file does not tell of.
    pub(crate) dropped: u64,
    /// Why; empty: nothing is wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    /// Records of the index that are not written yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) index: Vec<u8>,
    /// Lines as objects: who writes, and the begun line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) json: Option<Json>,
    /// Read from the pipe, and not taken by the disk.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) held: Vec<u8>,
    /// The pipe has more room than others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_wide: bool,
}

impl Default for OutputState {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            policy: None,
            lost: 0,
            dropped: 0,
            reason: String::new(),
            index: Vec::new(),
            json: None,
            held: Vec::new(),
            is_wide: false,
        }
    }
}

impl OutputState {
    /// Of the output of a program that has just begun; `stream` is `stdout`,
    /// `stderr`, or `output` when it is both.
    pub(super) fn fresh(request: &SpawnRequest, path: &Path, stream: &str, pid: u32) -> Self {
        let policy = request.logs.clone().filter(|_| !request.is_task);
        let format = policy.as_ref().map_or(LogFormat::Raw, |policy| policy.format);
        let json = Json::of(request, stream, format, pid);
        Self { path: path.to_owned(), policy, json, ..Self::default() }
    }

    /// The same for a successor that comes later, unexpectedly: what is in the
    /// middle of being written is another by then.
    pub(crate) fn lasting(mut self) -> Self {
        self.index.clear();
        self.held.clear();
        if let Some(json) = &mut self.json {
            json.begun.clear();
        }
        self
    }
}
