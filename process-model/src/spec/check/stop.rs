//! The stop sequence.

use super::faults::Faults;
use super::hooks::check_hook;
use crate::spec::{StopPolicy, StopStep, limits};

pub(super) fn check(stop: &StopPolicy, faults: &mut Faults) {
    faults.duration("stop.timeout", stop.timeout, &limits::STOP_TIMEOUT);
    faults.duration("stop.kill_timeout", stop.kill_timeout, &limits::STOP_TIMEOUT);
    faults.count("stop.steps", stop.steps.len(), limits::STOP_STEPS);
    for (index, step) in stop.steps.iter().enumerate() {
        let field = format!("stop.steps[{index}]");
        match step {
            StopStep::Signal { wait, .. } | StopStep::Wait(wait) => {
                faults.duration(format!("{field}.wait"), *wait, &limits::STOP_TIMEOUT);
            }
            StopStep::Hook(hook) => check_hook(&format!("{field}.run"), &format!("{field}.timeout"), hook, faults),
        }
    }
}
