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
    if version >= 3 {
        return Fit::AsItIs;
    }
    if version == 2 {
        return fit_second(request);
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
        // It holds no singletons.
        Request::Fence { .. } => Fit::Passed,
        // It rotates nothing, holds no sockets, takes nothing over and cannot be upgraded.
        Request::SetLogs { .. }
        | Request::CloseSockets { .. }
        | Request::Upgrade { .. }
        | Request::Adopt { .. }
        | Request::Collected { .. } => Fit::Passed,
    }
}

/// The same for a keeper of version 2, which knows no leases.
fn fit_second(request: &Request) -> Fit {
    match request {
        Request::Fence { .. } => Fit::Passed,
        Request::Spawn(spawn) if spawn.fence.is_some() => Fit::Answered(no_lease(spawn)),
        Request::Spawn(_)
        | Request::Hello { .. }
        | Request::SignalMain { .. }
        | Request::SetLogs { .. }
        | Request::CloseSockets { .. }
        | Request::Upgrade { .. }
        | Request::Adopt { .. }
        | Request::Collected { .. }
        | Request::SignalTree { .. }
        | Request::Forget { .. }
        | Request::Shutdown => Fit::AsItIs,
    }
}

fn no_lease(spawn: &SpawnRequest) -> Event {
    let message =
        "the keeper is of an older version and cannot end a singleton in time; it is replaced when nothing runs";
    Event::SpawnFailed { run: spawn.run, stage: "keeper".to_owned(), message: message.to_owned() }
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
        (spawn.fence.is_some(), "it a lease"),
    ]
    .into_iter()
    .find_map(|(is_asked, what)| is_asked.then_some(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::ExitStatus;
    use runner_keeper::protocol::Fence;

    #[test]
    fn a_singleton_is_started_by_no_keeper_that_could_not_end_it() {
        let fence = Some(Fence { confirmed: 1, at: 2 });
        let told = Request::Fence { instance: "web-1".into(), fence };
        let spawn = |fence| Request::Spawn(Box::new(SpawnRequest { run: 7, fence, ..SpawnRequest::default() }));
        for version in [1, 2] {
            assert_eq!(fit(&told, version), Fit::Passed);
            let refused = fit(&spawn(fence), version);
            assert!(matches!(refused, Fit::Answered(Event::SpawnFailed { run: 7, .. })), "{version}: {refused:?}");
            assert_eq!(fit(&spawn(None), version), Fit::AsItIs);
        }
        assert_eq!((fit(&told, 3), fit(&spawn(fence), 3)), (Fit::AsItIs, Fit::AsItIs));
    }

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
