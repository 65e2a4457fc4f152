//! When and how soon to restart.

use super::faults::Faults;
use crate::spec::{ExitCodes, ProcessSpec, RestartMode, limits};
use std::collections::BTreeMap;

pub(super) fn check(spec: &ProcessSpec, faults: &mut Faults) {
    let restart = &spec.restart;
    let backoff = &restart.backoff;
    if !limits::MAX_RESTARTS.contains(&restart.max_restarts) {
        let problem = format!("{} is out of range", restart.max_restarts);
        faults.add("restart.max_restarts", problem, "write 0 (no limit) to 1000000");
    }
    faults.duration("restart.backoff.initial", backoff.initial, &limits::BACKOFF);
    faults.duration("restart.backoff.max", backoff.max, &limits::BACKOFF);
    faults.number("restart.backoff.factor", backoff.factor, &limits::BACKOFF_FACTOR);
    faults.number("restart.backoff.jitter", backoff.jitter, &limits::BACKOFF_JITTER);
    if backoff.max < backoff.initial {
        let problem = format!("{} is below initial", crate::words::duration(backoff.max));
        faults.add("restart.backoff.max", problem, "write at least the initial delay");
    }
    faults.duration("restart.reset_after", restart.reset_after, &limits::RESET_AFTER);
    if let Some(limit) = restart.limit {
        faults.number("restart.limit.restarts", limit.restarts, &limits::RESTART_LIMIT);
        faults.duration("restart.limit.within", limit.within, &limits::RESTART_WINDOW);
    }
    check_codes(&restart.codes, faults);
    if let Some(memory) = restart.max_memory {
        faults.size("restart.max_memory", memory, &limits::MEMORY);
    }
    if let Some(runtime) = restart.max_runtime {
        faults.duration("restart.max_runtime", runtime, &limits::MAX_RUNTIME);
    }
    match restart.mode {
        RestartMode::Always | RestartMode::UnlessStopped if spec.schedule.is_some() => {
            let problem =
                format!("{} does not go with schedule: each of its runs ends by itself", restart.mode.as_str());
            faults.add("restart.policy", problem, "write never, or on-failure to repeat a run that failed");
        }
        RestartMode::Always | RestartMode::UnlessStopped | RestartMode::OnFailure | RestartMode::Never => {}
    }
}

/// No code says two things, and none says one twice.
fn check_codes(codes: &ExitCodes, faults: &mut Faults) {
    let mut seen = BTreeMap::new();
    for (name, list) in [
        ("success_codes", &codes.success),
        ("never_restart_codes", &codes.never_restart),
        ("always_restart_codes", &codes.always_restart),
    ] {
        for (index, code) in list.iter().enumerate() {
            let field = format!("restart.{name}[{index}]");
            match seen.insert(*code, name) {
                Some(first) if first == name => faults.twice(field, format!("code {code}")),
                Some(first) => faults.add(field, format!("code {code} is in {first} too"), "keep it in one list"),
                None => {}
            }
        }
    }
}
