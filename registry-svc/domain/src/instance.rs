//! A stored instance: what is wanted, what was decided and what was seen, in
//! three places.

use crate::{Handover, Left, StopsAfter};
use process_model::spec::Reservation;
use process_model::{ExitStatus, InstanceDetail, InstanceId, InstanceReport, NodeName, Phase, Plan, Timestamp};
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
    /// Decided: revision of its placement, which grows from one to the next; 0: of before it was kept.
    #[serde(default)]
    pub token: u64,
    /// Seen: nodes that were lost with it and may run it still, the newest last.
    #[serde(default)]
    pub left: Vec<Left>,
    /// Decided: what it takes of its node's capacity.
    #[serde(default)]
    pub reserved: Reservation,
    /// Decided: its node is no longer one that its process asks for; it leaves
    /// as soon as it can.
    #[serde(default)]
    pub unfit: bool,
    /// Decided: it leaves its node and goes to another one; it is `removing`
    /// meanwhile.
    #[serde(default)]
    pub moving: Option<Moving>,
    /// Decided: its turn in the rollout that goes on, or the last one.
    #[serde(default)]
    pub handover: Option<Handover>,
    /// Decided: where its schedule stood when it left the node before.
    #[serde(default)]
    pub plan: Option<Plan>,
    /// Decided: whom its stop waits for, on other nodes; of its last stop once
    /// it is wanted again.
    #[serde(default)]
    pub stops_after: Option<Box<StopsAfter>>,
}

/// An instance that leaves its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moving {
    /// Whether it should run where it goes.
    pub wanted: bool,
    /// Why it leaves.
    pub cause: Cause,
}

/// Why an instance leaves its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The node is being drained.
    Drain,
    /// Its process asks for other nodes by now.
    Unfit,
    /// The node was given up.
    Removed,
}

impl Cause {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "the node is being drained",
            Self::Unfit => "its process asks for other nodes",
            Self::Removed => "the node was removed",
        }
    }
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
    /// The generation that it runs; 0: that was not said.
    #[serde(default)]
    pub generation: u64,
    /// Since when it has been ready in this run, by the time of commands.
    #[serde(default)]
    pub ready_since: Option<Timestamp>,
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
            generation: 0,
            ready_since: None,
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
            token: 0,
            left: Vec::new(),
            reserved: Reservation::default(),
            unfit: false,
            moving: None,
            handover: None,
            plan: None,
            stops_after: None,
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

    /// Takes in what its node says. `now`: the time of the command, where
    /// every replica notes it.
    pub(crate) fn observe(&mut self, report: &InstanceReport, now: Option<Timestamp>) {
        let phase_time = if report.phase == self.seen.phase { self.seen.phase_time } else { report.time };
        self.lost_since = None;
        let serves = report.phase == Phase::Running && report.ready;
        let before = self.seen.ready_since.filter(|_| report.started == self.seen.started);
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
            generation: now.map_or(0, |_| report.generation),
            ready_since: now.filter(|_| serves).map(|now| before.unwrap_or(now)),
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
