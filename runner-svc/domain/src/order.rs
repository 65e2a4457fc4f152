//! When an action counts as done: a judgement over the machine, made after
//! each step.

use crate::{Machine, State, state::Rest};
use process_model::ActionVerb;

/// An action that the registry ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Id of the action.
    pub action: String,
    /// What is to be done.
    pub verb: ActionVerb,
    /// `restart_count` of the assignment that goes with it.
    pub restart_count: u64,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not decided yet.
    Pending,
    /// Done.
    Done,
    /// Not done, and it will not be; why, in words.
    Failed(String),
}

/// Judges `order` over the present state.
#[must_use]
pub fn judge(order: &Order, machine: &Machine) -> Verdict {
    match order.verb {
        ActionVerb::Stop => judge_stop(machine),
        ActionVerb::Start | ActionVerb::Restart => judge_start(order, machine),
    }
}

fn judge_stop(machine: &Machine) -> Verdict {
    if machine.is_wanted() {
        return Verdict::Failed("superseded: it is wanted to run again".to_owned());
    }
    match machine.state() {
        State::AtRest(_) => Verdict::Done,
        State::Stuck { .. } => Verdict::Failed("processes survived SIGKILL".to_owned()),
        State::Starting { .. } | State::Running { .. } | State::Stopping { .. } | State::Backoff { .. } => {
            Verdict::Pending
        }
    }
}

fn judge_start(order: &Order, machine: &Machine) -> Verdict {
    if !machine.is_wanted() {
        return Verdict::Failed("superseded: it is wanted to stop".to_owned());
    }
    if machine.restarts_asked < order.restart_count {
        // The assignment that belongs to this order has not been taken in.
        return Verdict::Pending;
    }
    match machine.state() {
        State::Running { ready: true, .. } | State::AtRest(Rest::Exited) => Verdict::Done,
        State::Backoff { why, .. } | State::AtRest(Rest::Failed(why)) => Verdict::Failed(why.clone()),
        State::Stuck { .. } => Verdict::Failed("processes of the run before survived SIGKILL".to_owned()),
        State::Running { ready: false, .. }
        | State::Starting { .. }
        | State::Stopping { .. }
        | State::AtRest(Rest::Fresh | Rest::Stopped | Rest::Held) => Verdict::Pending,
    }
}
