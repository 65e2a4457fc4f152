//! Whether the registry acts. After a restore it looks on: what it knows may
//! be old, and what runs is the truth, so nothing is started, stopped or
//! placed until somebody has looked at both and said so.
//!
//! ```text
//! Normal ──restore──▶ Observe ──confirm──▶ Normal, or KeepUnknown ──confirm again──▶ Normal
//! ```

use crate::draft::Draft;
use crate::{Order, Refusal};
use process_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether the registry acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It does.
    #[default]
    Normal,
    /// It does, and leaves what it does not know alone: no node is told that
    /// what it was told is everything.
    KeepUnknown,
    /// It looks on.
    Observe {
        /// Since when.
        since: Timestamp,
    },
}

impl Mode {
    /// Whether nodes are told what to do.
    #[must_use]
    pub fn acts(self) -> bool {
        match self {
            Self::Normal | Self::KeepUnknown => true,
            Self::Observe { .. } => false,
        }
    }

    /// Whether what a node has and was not told has to go.
    #[must_use]
    pub fn is_all(self) -> bool {
        self == Self::Normal
    }
}

/// Whether an order may be carried out now. What nodes and replicas say always
/// may; what a user asks for waits until a restore is over and confirmed.
pub(crate) fn permits(draft: &mut Draft<'_>, order: &Order) -> Result<(), Refusal> {
    super::give_up_if_left(draft);
    match order {
        Order::Apply(_)
        | Order::Delete { .. }
        | Order::Switch(_)
        | Order::Signal(_)
        | Order::ControlUnits(_)
        | Order::Rollback(_)
        | Order::PauseRollout { .. }
        | Order::ResumeRollout { .. }
        | Order::PromoteRollout { .. }
        | Order::RollingRestart(_)
        | Order::Scale(_)
        | Order::ReleaseBrake
        | Order::Invite(_)
        | Order::Admit(_) => {}
        Order::SetSchedulable(_) | Order::Drain(_) | Order::LabelNode(_) | Order::RemoveNode(_) => {}
        Order::ConfirmRestore(_) => return if is_restoring(draft) { Err(Refusal::Restoring) } else { Ok(()) },
        Order::Configure(_)
        | Order::NodeConnected(_)
        | Order::NodeArrived(_)
        | Order::NodeLost { .. }
        | Order::NodeSuspect { .. }
        | Order::NodeSilent { .. }
        | Order::Report(_)
        | Order::Runs(_)
        | Order::ActionsDelivered { .. }
        | Order::RecordRefusals(_)
        | Order::MemberUp(_)
        | Order::MemberCertified(_)
        | Order::Enroll(_)
        | Order::MemberGone(_)
        | Order::MemberNote(_)
        | Order::Restore(_)
        | Order::Inventory(_)
        | Order::SetLevel { .. }
        | Order::Tick => return Ok(()),
    }
    if is_restoring(draft) {
        return Err(Refusal::Restoring);
    }
    if draft.state().meta().mode.acts() { Ok(()) } else { Err(Refusal::Observing) }
}

fn is_restoring(draft: &Draft<'_>) -> bool {
    draft.state().meta().restoring.is_some()
}
