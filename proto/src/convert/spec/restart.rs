//! The restart policy.

use super::reader::Reader;
use crate::convert::duration_to_wire;
use crate::v1;
use process_model::spec::{Backoff, ExitCodes, RestartLimit, RestartMode, RestartPolicy, limits::default};

pub(super) fn restart_from_wire(wire: &v1::RestartPolicy, reader: &mut Reader) -> RestartPolicy {
    let mode = match wire.mode() {
        v1::RestartMode::Always => RestartMode::Always,
        v1::RestartMode::OnFailure => RestartMode::OnFailure,
        v1::RestartMode::Never => RestartMode::Never,
        v1::RestartMode::UnlessStopped => RestartMode::UnlessStopped,
        v1::RestartMode::Unspecified => {
            reader.fault(
                "restart.mode",
                "it is missing or unknown",
                "write always, on-failure, never or unless-stopped",
            );
            // The one that goes with everything else, so that one fault makes no second.
            RestartMode::Never
        }
    };
    let backoff = wire.backoff.as_ref().map_or_else(Backoff::default, |b| Backoff {
        initial: reader.duration("restart.backoff.initial", b.initial.as_ref(), default::BACKOFF_INITIAL),
        factor: b.factor.unwrap_or(default::BACKOFF_FACTOR),
        max: reader.duration("restart.backoff.max", b.max.as_ref(), default::BACKOFF_MAX),
        jitter: b.jitter.unwrap_or(default::BACKOFF_JITTER),
    });
    RestartPolicy {
        mode,
        backoff,
        max_restarts: wire.max_restarts,
        reset_after: reader.duration("restart.reset_after", wire.reset_after.as_ref(), default::RESET_AFTER),
        limit: wire.limit.as_ref().and_then(|limit| limit_from_wire(limit, reader)),
        codes: ExitCodes {
            success: codes("restart.success_codes", &wire.success_codes, reader),
            never_restart: codes("restart.never_restart_codes", &wire.never_restart_codes, reader),
            always_restart: codes("restart.always_restart_codes", &wire.always_restart_codes, reader),
        },
        max_memory: wire.max_memory,
        max_runtime: reader.some_duration("restart.max_runtime", wire.max_runtime.as_ref()),
    }
}

fn limit_from_wire(wire: &v1::RestartLimit, reader: &mut Reader) -> Option<RestartLimit> {
    let Some(within) = &wire.within else {
        reader.fault("restart.limit.within", "it is missing", "write the window, as 10 minutes");
        return None;
    };
    let within = reader.some_duration("restart.limit.within", Some(within))?;
    Some(RestartLimit { restarts: wire.restarts, within })
}

fn codes(field: &str, wire: &[u32], reader: &mut Reader) -> Vec<u8> {
    let mut read = |(index, code): (usize, &u32)| {
        u8::try_from(*code)
            .map_err(|_| reader.fault(format!("{field}[{index}]"), format!("{code} is out of range"), "write 0 to 255"))
            .ok()
    };
    wire.iter().enumerate().filter_map(&mut read).collect()
}

pub(super) fn restart_to_wire(restart: &RestartPolicy) -> v1::RestartPolicy {
    let mode = match restart.mode {
        RestartMode::Always => v1::RestartMode::Always,
        RestartMode::OnFailure => v1::RestartMode::OnFailure,
        RestartMode::Never => v1::RestartMode::Never,
        RestartMode::UnlessStopped => v1::RestartMode::UnlessStopped,
    };
    let codes = |codes: &[u8]| codes.iter().copied().map(u32::from).collect();
    v1::RestartPolicy {
        mode: mode.into(),
        backoff: Some(v1::Backoff {
            initial: Some(duration_to_wire(restart.backoff.initial)),
            factor: Some(restart.backoff.factor),
            max: Some(duration_to_wire(restart.backoff.max)),
            jitter: Some(restart.backoff.jitter),
        }),
        max_restarts: restart.max_restarts,
        reset_after: Some(duration_to_wire(restart.reset_after)),
        limit: restart
            .limit
            .map(|limit| v1::RestartLimit { restarts: limit.restarts, within: Some(duration_to_wire(limit.within)) }),
        success_codes: codes(&restart.codes.success),
        never_restart_codes: codes(&restart.codes.never_restart),
        always_restart_codes: codes(&restart.codes.always_restart),
        max_memory: restart.max_memory,
        max_runtime: restart.max_runtime.map(duration_to_wire),
    }
}
