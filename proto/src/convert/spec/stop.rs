//! The stop sequence.

use super::hook::{hook_from_wire, hook_to_wire};
use super::reader::Reader;
use crate::convert::duration_to_wire;
use crate::v1::{self, stop_step::Step};
use process_model::spec::{Scope, Signal, StopPolicy, StopStep, limits::default};
use std::time::Duration;

pub(super) fn stop_from_wire(wire: &v1::StopPolicy, reader: &mut Reader) -> StopPolicy {
    let absent = StopPolicy::default();
    StopPolicy {
        signal: reader.signal("stop.signal", &wire.signal, absent.signal),
        timeout: reader.duration("stop.timeout", wire.timeout.as_ref(), absent.timeout),
        kill_timeout: reader.duration("stop.kill_timeout", wire.kill_timeout.as_ref(), absent.kill_timeout),
        steps: wire
            .steps
            .iter()
            .enumerate()
            .filter_map(|(index, step)| step_from_wire(&format!("stop.steps[{index}]"), step, reader))
            .collect(),
    }
}

fn step_from_wire(field: &str, wire: &v1::StopStep, reader: &mut Reader) -> Option<StopStep> {
    match &wire.step {
        Some(Step::Signal(step)) => Some(StopStep::Signal {
            signal: reader.signal(format!("{field}.signal"), &step.signal, Signal::TERM),
            to: match reader.known(format!("{field}.to"), step.to) {
                v1::SignalScope::Unspecified | v1::SignalScope::Tree => Scope::Tree,
                v1::SignalScope::Main => Scope::Main,
            },
            wait: reader.duration(format!("{field}.wait"), step.wait.as_ref(), default::STOP_TIMEOUT),
        }),
        Some(Step::Hook(hook)) => Some(StopStep::Hook(hook_from_wire(field, hook, reader))),
        Some(Step::Wait(wait)) => {
            Some(StopStep::Wait(reader.duration(format!("{field}.wait"), Some(wait), Duration::ZERO)))
        }
        None => {
            reader.fault(field, "it says not what to do", "write signal, hook or wait");
            None
        }
    }
}

pub(super) fn stop_to_wire(stop: &StopPolicy) -> v1::StopPolicy {
    v1::StopPolicy {
        signal: stop.signal.to_string(),
        timeout: Some(duration_to_wire(stop.timeout)),
        kill_timeout: Some(duration_to_wire(stop.kill_timeout)),
        steps: stop.steps.iter().map(step_to_wire).collect(),
    }
}

fn step_to_wire(step: &StopStep) -> v1::StopStep {
    let step = match step {
        StopStep::Signal { signal, to, wait } => {
            let to = match to {
                Scope::Tree => v1::SignalScope::Tree,
                Scope::Main => v1::SignalScope::Main,
            };
            let wait = Some(duration_to_wire(*wait));
            Step::Signal(v1::SignalStep { signal: signal.to_string(), to: to.into(), wait })
        }
        StopStep::Hook(hook) => Step::Hook(hook_to_wire(hook)),
        StopStep::Wait(wait) => Step::Wait(duration_to_wire(*wait)),
    };
    v1::StopStep { step: Some(step) }
}
