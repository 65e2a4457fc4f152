//! A keeper of an older version that goes on holding programs: what it can be
//! asked, and what is done instead.

use runner_keeper::protocol::{Event, Request, SpawnRequest};

/// What is done with a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// The keeper understands it.
    AsItIs,
    /// The keeper cannot do it, which is said in its place.
    Answered(Event),
    /// The keeper has nothing that it could be about.
    Passed,
    /// We do it ourselves.
    ByHand {
        /// The run whose main process gets the signal.
        run: u64,
        /// The signal's number.
        signal: i32,
    },
}

/// What is done with a request to a keeper of this version. A keeper cuts off
/// who says what it cannot read, so it is never sent.
pub(super) fn fit(request: &Request, version: u32) -> Fit {
    if version >= 2 {
        return Fit::AsItIs;
    }
    match request {
        Request::Hello { .. } | Request::SignalTree { .. } | Request::Forget { .. } | Request::Shutdown => Fit::AsItIs,
        Request::Spawn(spawn) => match lacking(spawn) {
            None => Fit::AsItIs,
            Some(what) => {
                let message = format!(
                    "the keeper is of an older version and cannot give {what}; it is replaced when nothing runs"
                );
                Fit::Answered(Event::SpawnFailed { run: spawn.run, stage: "keeper".to_owned(), message })
            }
        },
        Request::SignalMain { run, signal } => Fit::ByHand { run: *run, signal: *signal },
        // It rotates nothing, holds no sockets, takes nothing over and cannot be upgraded.
        Request::SetLogs { .. }
        | Request::CloseSockets { .. }
        | Request::Upgrade { .. }
        | Request::Adopt { .. }
        | Request::Collected { .. } => Fit::Passed,
    }
}

/// What a keeper of version 1 cannot do for a program and would leave out
/// without a word. That it does not rotate files harms nobody until then.
fn lacking(spawn: &SpawnRequest) -> Option<&'static str> {
    let execution = spawn.execution.as_deref().is_some_and(|execution| *execution != Default::default());
    [
        (!spawn.sockets.is_empty(), "it sockets"),
        (spawn.notify, "it a NOTIFY_SOCKET"),
        (spawn.limits.is_some(), "it limits"),
        (execution, "it the execution settings of its spec"),
    ]
    .into_iter()
    .find_map(|(is_asked, what)| is_asked.then_some(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::ExitStatus;

    #[test]
    fn a_keeper_of_version_1_is_never_told_what_it_cannot_read() {
        let main = Request::SignalMain { run: 7, signal: 1 };
        assert_eq!(fit(&main, 1), Fit::ByHand { run: 7, signal: 1 });
        for request in [
            Request::Upgrade { program: "/bin/true".into() },
            Request::Collected { run: 7, status: ExitStatus::Code(0) },
            Request::CloseSockets { instance: "web-1".into(), keep: Vec::new() },
        ] {
            assert_eq!((fit(&request, 1), fit(&request, 2)), (Fit::Passed, Fit::AsItIs));
        }
        for request in [Request::Forget { run: 7 }, Request::SignalTree { run: 7, signal: 15 }, Request::Shutdown] {
            assert_eq!(fit(&request, 1), Fit::AsItIs);
        }
    }
}
