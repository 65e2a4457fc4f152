//! Runs of what runs to an end: an instance with a schedule, or a one-shot.
//!
//! A runner reports each of its runs when it begins and when it ends; the
//! registry keeps the newest ones, over all nodes that the instance was on.
//! Where the next run stands travels the other way, with the assignment.

use crate::{ExitStatus, InstanceId, NodeName, Timestamp};
use serde::{Deserialize, Serialize};

/// Why a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunTrigger {
    /// Its time came.
    Schedule,
    /// It makes up for times that passed while nobody was there.
    CatchUp,
    /// It was asked for: applied, started, restarted.
    #[default]
    Request,
    /// The run before failed, and the restart policy says to try again.
    Restart,
}

impl RunTrigger {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Schedule, Self::CatchUp, Self::Request, Self::Restart];

    /// The word for it in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::CatchUp => "catch-up",
            Self::Request => "request",
            Self::Restart => "restart",
        }
    }

    /// Whether such a run is the one of a time of the schedule.
    #[must_use]
    pub fn is_planned(self) -> bool {
        match self {
            Self::Schedule | Self::CatchUp => true,
            Self::Request | Self::Restart => false,
        }
    }
}

/// What became of a run, or of a time of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// It goes on.
    Running,
    /// The program ended.
    Ended(ExitStatus),
    /// No program was started; why, in words.
    NotStarted(String),
    /// Its time came and it was left out; why, in words.
    Skipped(String),
    /// Its time passed while nobody was there, and it is not made up for.
    Missed,
    /// Its node was lost while it went on. The node may still tell how it ended.
    Lost,
}

impl RunOutcome {
    /// Whether its end may still be told.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self {
            Self::Running | Self::Lost => true,
            Self::Ended(_) | Self::NotStarted(_) | Self::Skipped(_) | Self::Missed => false,
        }
    }
}

/// A run as its runner reports it: everything that is known, each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// The instance.
    pub instance: InstanceId,
    /// Grows with each report of this node, for ever.
    pub seq: u64,
    /// Generation of the spec that it runs.
    pub generation: u64,
    /// Tells the runs of a node apart; 0: none was begun, and this is all.
    pub run: u64,
    /// When it was planned, the random delay included; `None`: it was not.
    pub due: Option<Timestamp>,
    /// Why it began.
    pub trigger: RunTrigger,
    /// When the program was started.
    pub began: Option<Timestamp>,
    /// When the program ended.
    pub ended: Option<Timestamp>,
    /// What became of it.
    pub outcome: RunOutcome,
    /// When the schedule says that the next one is due.
    pub next_due: Option<Timestamp>,
}

/// A run as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its number: they are counted over all nodes, in the order in which the
    /// registry heard of them.
    pub number: u64,
    /// Where.
    pub node: NodeName,
    /// Tells the runs of that node apart; 0: none was begun.
    pub run: u64,
    /// When it was planned.
    pub due: Option<Timestamp>,
    /// Why it began.
    pub trigger: RunTrigger,
    /// When the program was started.
    pub began: Option<Timestamp>,
    /// When the program ended.
    pub ended: Option<Timestamp>,
    /// What became of it.
    pub outcome: RunOutcome,
}

/// Where a schedule stands, for the node that follows it next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The first time that has not been dealt with: every earlier one was run
    /// or left out.
    pub due: Timestamp,
    /// Whether the node before has said all that it did. If not, it may have
    /// begun this run already: once passed, the time counts as missed.
    pub certain: bool,
}
