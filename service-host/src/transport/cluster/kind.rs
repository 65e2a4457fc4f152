//! What a method's name says of its calls. A channel sees bytes and a path; whether a call may be sent twice has to be
//! known from the path. The contract's names follow this rule, and a test over the whole contract (in the gateway, which
//! has it) holds them to it.

/// How a call may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// One request, one answer, and nothing is changed: it may be sent again.
    Read,
    /// One request, one answer, something changes: it may be sent again with the same request id.
    Change,
    /// More than one message in either direction: what was sent is gone.
    Stream,
}

/// How names of methods that only look begin.
const READS: [&str; 3] = ["Get", "List", "Check"];

/// How names of streaming methods begin.
const STREAMS: [&str; 8] = ["Watch", "Read", "Run", "Link", "Send", "Save", "Restore", "ServerReflection"];

impl CallKind {
    /// Of a path or name, as `/pm.v1.ProcessService/ListProcesses`.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let method = path.rsplit('/').next().unwrap_or_default();
        let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| method.starts_with(beginning));
        if begins(&STREAMS) {
            Self::Stream
        } else if begins(&READS) {
            Self::Read
        } else {
            Self::Change
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CallKind;

    #[test]
    fn the_name_tells_whether_a_call_may_be_repeated() {
        for (path, kind) in [
            ("/pm.v1.ProcessService/ListProcesses", CallKind::Read),
            ("/pm.v1.ProcessService/RestartProcesses", CallKind::Change),
            ("/pm.v1.EventService/WatchEvents", CallKind::Stream),
            ("/pm.v1.RunnerSessionService/RunSession", CallKind::Stream),
            ("/grpc.health.v1.Health/Check", CallKind::Read),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", CallKind::Stream),
            ("pm.v1.ClusterService/JoinMember", CallKind::Change),
        ] {
            assert_eq!(CallKind::of(path), kind, "{path}");
        }
    }
}
