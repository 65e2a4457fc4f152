//! What has to be looked at when its time has come: by a command of whoever
//! leads, so that every replica does it at the same place in the log. The time
//! is the leader's wall clock, which may be wrong: what has to hold in spite of
//! that, as leases have to, is not measured here.
//!
//! ```text
//! row says when ─▶ index ─▶ State::next_due ─▶ (leader sleeps) ─▶ Order::Tick ─▶ expired …
//! ```

use crate::decided::Decided;
use crate::draft::Draft;
use crate::{State, actions, drains, nodes, rollout};
use process_model::{NodeName, ProcessName, Timestamp};

/// What one command looks at, at most: a node that was away may have let
/// thousands of actions expire, and others wait behind this command. The rest
/// is due still, and comes with the next.
const AT_A_TIME: usize = 1_000;

/// What has to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// An action that nobody has taken up.
    Action(u64),
    /// A node that was to be steady until then.
    Node(NodeName),
    /// A drain whose deadline has come.
    Drain(NodeName),
    /// A rollout that counts on time, or has none left.
    Rollout(ProcessName),
}

impl State {
    /// When a [`Tick`](crate::Order::Tick) has something to do; `None`: never,
    /// as it is now.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.index.all_due().first().map(|(time, _)| *time)
    }
}

pub(crate) fn tick(draft: &mut Draft<'_>) -> Decided {
    let now = draft.header.time;
    let due = draft.state().index.all_due().iter().take_while(|(time, _)| *time <= now);
    let due: Vec<Due> = due.take(AT_A_TIME).map(|(_, what)| what.clone()).collect();
    for what in due {
        match what {
            Due::Action(number) => actions::expired(draft, number),
            Due::Node(name) => nodes::steady(draft, &name),
            Due::Drain(node) => drains::overdue(draft, &node),
            Due::Rollout(name) => rollout::advance(draft, &name),
        }
    }
    Decided::noted(draft)
}
