//! When an action counts as done: a judgement over the machine, made after
//! each step.

use crate::{Input, Machine, State, rare::Reload, state::Ended, state::Rest};
use process_model::ActionVerb;
use process_model::spec::Signal;

/// An action that the registry ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Id of the action.
    pub action: String,
    /// What is to be done.
    pub verb: ActionVerb,
    /// `restart_count` of the assignment that goes with it.
    pub restart_count: u64,
    /// The signal of the verb of that name.
    pub signal: Option<Signal>,
}

impl Order {
    /// What it asks for; `None`: its assignment does.
    #[must_use]
    pub fn asked(&self) -> Option<Input> {
        match self.verb {
            ActionVerb::Reload => Some(Input::ReloadAsked),
            ActionVerb::Signal => self.signal.map(Input::SignalAsked),
            ActionVerb::Start | ActionVerb::Stop | ActionVerb::Restart => None,
        }
    }
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
        ActionVerb::Reload => judge_reload(machine),
        ActionVerb::Signal => machine.judge_signal(),
    }
}

fn judge_stop(machine: &Machine) -> Verdict {
    if machine.is_wanted() {
        return Verdict::Failed("superseded: it is wanted to run again".to_owned());
    }
    match machine.state() {
        State::AtRest(_) => Verdict::Done,
        State::Stuck { .. } => Verdict::Failed("processes survived SIGKILL".to_owned()),
        State::Waiting { .. }
        | State::Starting { .. }
        | State::Running { .. }
        | State::Stopping(_)
        | State::Cleaning { .. }
        | State::Backoff { .. } => Verdict::Pending,
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
        State::Running { health, .. } if health.is_ready() => Verdict::Done,
        // It has run, or its schedule is followed.
        State::AtRest(Rest::Exited | Rest::Scheduled) => Verdict::Done,
        State::Backoff { ended: Ended { why, .. }, .. } | State::AtRest(Rest::Failed(why)) => {
            Verdict::Failed(why.clone())
        }
        State::Stuck { .. } => Verdict::Failed("processes of the run before survived SIGKILL".to_owned()),
        State::Running { .. }
        | State::Waiting { .. }
        | State::Starting { .. }
        | State::Stopping(_)
        | State::Cleaning { .. }
        | State::AtRest(Rest::Fresh | Rest::Stopped | Rest::Held) => Verdict::Pending,
    }
}

/// The machine has taken the request in: its answer is there, or comes.
fn judge_reload(machine: &Machine) -> Verdict {
    match machine.state() {
        State::Running { .. } => match machine.reload() {
            Reload::Idle => Verdict::Done,
            Reload::Failed(why) => Verdict::Failed(why.clone()),
            Reload::Hook { .. } | Reload::Signalled | Reload::Announced => Verdict::Pending,
        },
        State::AtRest(_)
        | State::Waiting { .. }
        | State::Starting { .. }
        | State::Stopping(_)
        | State::Cleaning { .. }
        | State::Backoff { .. }
        | State::Stuck { .. } => Verdict::Failed("it does not run".to_owned()),
    }
}
