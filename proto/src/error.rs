//! gRPC statuses. Each carries `google.rpc.ErrorInfo`: a stable reason and the
//! data of its message, so that clients never parse text.

use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// `ErrorInfo.domain` of every error of ours.
pub const DOMAIN: &str = "pm.v1";

/// `ErrorInfo.reason`: stable, documented, one for each kind of error.
pub mod reason {
    /// A field of the request is missing, malformed or out of range.
    pub const INVALID_ARGUMENT: &str = "INVALID_ARGUMENT";
    /// Nothing matches a selector or id.
    pub const NOT_FOUND: &str = "NOT_FOUND";
    /// An etag differs: somebody else changed it.
    pub const ETAG_MISMATCH: &str = "ETAG_MISMATCH";
    /// A process has another generation than was expected.
    pub const GENERATION_MISMATCH: &str = "GENERATION_MISMATCH";
    /// A request id was used before for another request.
    pub const REQUEST_ID_REUSED: &str = "REQUEST_ID_REUSED";
    /// No token, or a wrong one.
    pub const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
    /// The token's role is not allowed to do this.
    pub const PERMISSION_DENIED: &str = "PERMISSION_DENIED";
    /// The registry has no leader now.
    pub const NO_LEADER: &str = "NO_LEADER";
    /// The leader was lost before it answered: whether the change was made is open. Repeat it with the same request id.
    pub const RESULT_UNKNOWN: &str = "RESULT_UNKNOWN";
    /// The members of the registry's cluster cannot be changed so, or a replica is not let in.
    pub const MEMBER_CHANGE_REFUSED: &str = "MEMBER_CHANGE_REFUSED";
    /// A service behind the gateway does not answer.
    pub const BACKEND_UNAVAILABLE: &str = "BACKEND_UNAVAILABLE";
    /// The wanted revision is no longer kept.
    pub const REVISION_COMPACTED: &str = "REVISION_COMPACTED";
    /// The wanted revision lies after everything that has happened.
    pub const REVISION_FUTURE: &str = "REVISION_FUTURE";
    /// The watcher did not keep up.
    pub const WATCHER_TOO_SLOW: &str = "WATCHER_TOO_SLOW";
    /// A newer session of the node took over.
    pub const SESSION_REPLACED: &str = "SESSION_REPLACED";
    /// The node was declared lost while its session was open; another session begins anew.
    pub const NODE_LOST: &str = "NODE_LOST";
    /// More runners come than are received at a time; `RetryInfo` says when to come again.
    pub const SESSIONS_LIMITED: &str = "SESSIONS_LIMITED";
    /// No connected node has the instance's logs.
    pub const LOGS_UNREACHABLE: &str = "LOGS_UNREACHABLE";
    /// As many log readers are connected as there is memory for.
    pub const TOO_MANY_READERS: &str = "TOO_MANY_READERS";
    /// The request is larger than allowed.
    pub const REQUEST_TOO_LARGE: &str = "REQUEST_TOO_LARGE";
    /// No such path, or no such method of a service.
    pub const UNKNOWN_ROUTE: &str = "UNKNOWN_ROUTE";
    /// The path exists, but not with this HTTP method.
    pub const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
    /// The body is not in a form that is understood here.
    pub const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";
    /// The call's time is over.
    pub const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
    /// The caller was too slow in sending its request.
    pub const REQUEST_TIMEOUT: &str = "REQUEST_TIMEOUT";
    /// The service is being shut down; try again.
    pub const SHUTTING_DOWN: &str = "SHUTTING_DOWN";
    /// A restore would replace what is there.
    pub const CLUSTER_NOT_EMPTY: &str = "CLUSTER_NOT_EMPTY";
    /// A backup is being restored.
    pub const RESTORING: &str = "RESTORING";
    /// It is no backup, a damaged one, or not one for this cluster.
    pub const BACKUP_UNUSABLE: &str = "BACKUP_UNUSABLE";
    /// The registry looks on since a restore, until that is confirmed.
    pub const OBSERVE_MODE: &str = "OBSERVE_MODE";
    /// Nothing is to be confirmed.
    pub const NOT_OBSERVING: &str = "NOT_OBSERVING";
    /// Something runs that was not restored, and nobody said what becomes of it.
    pub const UNKNOWN_INSTANCES: &str = "UNKNOWN_INSTANCES";
    /// No rollout is under way, or it is not where this can be done.
    pub const ROLLOUT_STATE: &str = "ROLLOUT_STATE";
    /// A process has as many instances as it has to have.
    pub const FIXED_NUMBER: &str = "FIXED_NUMBER";
    /// A replica does not know this kind of change yet.
    pub const FEATURE_LEVEL: &str = "FEATURE_LEVEL";
    /// The registry has no CA's key, and certifies nobody.
    pub const NO_AUTHORITY: &str = "NO_AUTHORITY";
    /// Too many tries to join in a minute.
    pub const TOO_MANY_TRIES: &str = "TOO_MANY_TRIES";
    /// A node is ready or has instances, and was not given up.
    pub const NODE_IN_USE: &str = "NODE_IN_USE";
    /// A fault of ours.
    pub const INTERNAL: &str = "INTERNAL";
}

/// A status with `ErrorInfo`.
pub fn status(code: Code, reason: &str, message: impl Into<String>, metadata: &[(&str, &str)]) -> Status {
    let metadata: HashMap<String, String> = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, metadata))
}

/// A status with `ErrorInfo` and `RetryInfo`: when to come again.
pub fn come_back(code: Code, reason: &str, message: impl Into<String>, after: std::time::Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::<String, String>::new());
    details.set_retry_info(Some(after));
    Status::with_error_details(code, message, details)
}

/// INVALID_ARGUMENT that lists every fault as a field violation.
pub fn invalid(faults: &[process_model::spec::Fault]) -> Status {
    let message = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let mut details = ErrorDetails::with_error_info(reason::INVALID_ARGUMENT, DOMAIN, HashMap::<String, String>::new());
    for fault in faults {
        details.add_bad_request_violation(&fault.field, format!("{}; {}", fault.problem, fault.fix));
    }
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// The reason of a status; `None` when it carries no `ErrorInfo` of ours.
#[must_use]
pub fn reason_of(status: &Status) -> Option<String> {
    status.get_details_error_info().filter(|info| info.domain == DOMAIN).map(|info| info.reason)
}
