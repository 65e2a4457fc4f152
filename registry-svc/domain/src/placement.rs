//! Which node an instance goes to, and why. Pure: state in, decisions out, the
//! same on every replica; planning again over its own result decides nothing.
//! An instance that has a node keeps it, until something says that it has to
//! go (`moving`).
//!
//! ```text
//! waiting instances ─▶ groups by process ─▶ Asked ─┐
//! nodes that take new ─▶ Queue by constraints ─────┴▶ Board: the best that has room ─▶ Placed
//! ```
//!
//! | module | what |
//! |---|---|
//! | `plan` | who waits, in which order |
//! | `board`, `queue`, `seat` | nodes as they fill up while one plan is made; those that fit some constraints, the least loaded first |
//! | `asked`, `score` | what a process asks of a node; which of the nodes that can is the best |
//! | `fitting` | why a node is not an option: the one place where that is decided |
//! | `explain` | all of it for one process, in words |

mod asked;
mod board;
mod explain;
mod fitting;
mod plan;
mod queue;
mod score;
mod seat;

pub(crate) use asked::Asked;
pub(crate) use board::Board;
pub use explain::{Candidate, Explanation, Standing, explain};
pub use fitting::Exclusion;
pub(crate) use fitting::{compiled, constraint, room, takes_new};
pub use plan::{Placed, plan};
pub(crate) use plan::{Scope, groups};
pub(crate) use seat::Seat;

use crate::draft::Draft;
use crate::{actions, daemons, moving};
use process_model::ProcessSpec;
use process_model::event_type;
use process_model::spec::{Placement, Reservation};
use std::sync::LazyLock;

/// What a process that says nothing asks for.
static NOTHING: LazyLock<Placement> = LazyLock::new(Placement::default);

/// What a process asks for.
pub(crate) fn of(spec: &ProcessSpec) -> &Placement {
    spec.placement.as_deref().unwrap_or(&NOTHING)
}

/// What one instance of a process takes of its node.
pub(crate) fn reserve(spec: &ProcessSpec) -> Reservation {
    of(spec).reserve
}

/// Something has changed that may give instances a node, or ask one of them to
/// leave: daemons first, which have no choice; then who waits; then who has to
/// go and can.
pub(crate) fn settle(draft: &mut Draft<'_>, scope: Scope<'_>) {
    daemons::settle(draft, scope);
    moving::reconsider(draft, scope);
    place(draft, scope);
    moving::advance(draft);
}

/// Plans, and does it.
fn place(draft: &mut Draft<'_>, scope: Scope<'_>) {
    let placements = plan::plan_within(draft.state(), scope);
    if placements.is_empty() {
        return;
    }
    for Placed { instance: id, node } in placements {
        let token = (draft.state().meta.level() >= 3).then(|| draft.next_revision());
        draft.change_instance(&id, |instance| instance.go_to(&node, token));
        actions::placed(draft, &id, &node);
        draft.emit_instance(event_type::INSTANCE_ASSIGNED, &id, format!("instance {id} was assigned to node {node}"));
    }
    debug_assert!(plan::plan_within(draft.state(), scope).is_empty(), "placement is not idempotent");
}
