//! A stored instance: what is wanted, what was decided and what was seen, in
//! three places.

use process_model::{ExitStatus, InstanceDetail, InstanceId, InstanceReport, NodeName, Phase, Timestamp};
use serde::{Deserialize, Serialize};

/// A stored instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Wanted: whether it should run.
    pub wanted: bool,
    /// Wanted: grows with each restart that was asked for.
    pub restart_count: u64,
    /// Wanted: W3C `traceparent` of the request that last changed it; may be
    /// empty.
    #[serde(default)]
    pub traceparent: String,
    /// Decided: its node; `None` until one was ready.
    pub node: Option<NodeName>,
    /// Decided: generation of the spec that the node has to run.
    pub generation: u64,
    /// Decided: it has to end, and goes once its node says that it has.
    pub removing: bool,
    /// Seen: what its node last said.
    pub seen: Seen,
    /// Seen: since when its node is silent.
    pub lost_since: Option<Timestamp>,
    /// Decided: the generation that it began with. What a node lets go of an
    /// earlier one is another instance of the same name.
    #[serde(default)]
    pub born: u64,
}

/// What a node last said of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Number of the report; 0: nothing was said yet.
    pub seq: u64,
    /// Phase.
    pub phase: Phase,
    /// When the phase last changed.
    pub phase_time: Timestamp,
    /// Whether it serves.
    pub ready: bool,
    /// Process id; 0 when none runs.
    pub pid: u32,
    /// Restarts since it was last started on request.
    pub restarts: u32,
    /// How its last run ended.
    pub last_exit: Option<ExitStatus>,
    /// When the current or last run began.
    pub started: Option<Timestamp>,
    /// In words.
    pub message: String,
    /// When the next restart is due.
    pub next_restart: Option<Timestamp>,
    /// What holds its process tree together.
    #[serde(default)]
    pub containment: String,
    /// What the program says of itself.
    #[serde(default)]
    pub status: String,
}

impl Seen {
    /// Nothing was said yet.
    #[must_use]
    pub fn nothing(time: Timestamp) -> Self {
        Self {
            seq: 0,
            phase: Phase::Pending,
            phase_time: time,
            ready: false,
            pid: 0,
            restarts: 0,
            last_exit: None,
            started: None,
            message: String::new(),
            next_restart: None,
            containment: String::new(),
            status: String::new(),
        }
    }
}

impl Instance {
    /// A new instance, not yet placed.
    #[must_use]
    pub fn new(id: InstanceId, generation: u64, wanted: bool, time: Timestamp) -> Self {
        Self {
            id,
            wanted,
            restart_count: 0,
            traceparent: String::new(),
            node: None,
            generation,
            removing: false,
            seen: Seen::nothing(time),
            lost_since: None,
            born: generation,
        }
    }

    /// Its phase as everybody sees it: a silent node hides what was seen last.
    #[must_use]
    pub fn phase(&self) -> Phase {
        if self.lost_since.is_some() { Phase::Lost } else { self.seen.phase }
    }

    /// When that phase began.
    #[must_use]
    pub fn phase_time(&self) -> Timestamp {
        self.lost_since.unwrap_or(self.seen.phase_time)
    }

    /// Whether it serves, as far as anybody knows.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.seen.ready && self.lost_since.is_none()
    }

    /// Takes in what its node says.
    pub(crate) fn observe(&mut self, report: &InstanceReport) {
        let phase_time = if report.phase == self.seen.phase { self.seen.phase_time } else { report.time };
        self.lost_since = None;
        self.seen = Seen {
            seq: report.seq,
            phase: report.phase,
            phase_time,
            ready: report.ready,
            pid: report.pid,
            restarts: report.restarts,
            last_exit: report.last_exit.clone(),
            started: report.started,
            message: report.message.clone(),
            next_restart: report.next_restart,
            containment: report.containment.clone(),
            status: report.status.clone(),
        };
    }

    /// What an event says of it. `log_lines` stay with the event alone: they
    /// are a part of the history, not of the state.
    pub(crate) fn detail(&self, exit: Option<ExitStatus>, log_lines: Vec<String>) -> InstanceDetail {
        InstanceDetail {
            phase: self.phase(),
            ready: self.is_ready(),
            pid: self.seen.pid,
            restarts: self.seen.restarts,
            exit,
            log_lines,
        }
    }
}
