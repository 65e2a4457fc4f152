//! Exit codes: what a script learns without reading text. One place maps gRPC
//! statuses to them.

use pm_proto::error::{reason, reason_of};
use std::process::ExitCode;
use tonic::{Code, Status};

/// How a call of `pmctl` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or the question was answered.
    Done,
    /// Refused, or the operation failed.
    Failed,
    /// Wrong usage, or an invalid spec.
    Usage,
    /// There is no such process, instance or node.
    NotFound,
    /// Somebody else changed it.
    Conflict,
    /// Waiting took too long; the operation goes on.
    TimedOut,
    /// No token, a wrong one, or not the right role.
    NotAllowed,
    /// Nothing answers, or there is no quorum.
    Unreachable,
    /// Some targets failed, others did not.
    Partial,
    /// What was to be verified does not hold.
    Untrue,
    /// A change did not hold: it was given up, or taken back.
    RolloutFailed,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::TimedOut => 6,
            Self::NotAllowed => 7,
            Self::Unreachable => 8,
            Self::Partial => 9,
            Self::Untrue => 10,
            Self::RolloutFailed => 11,
            Self::Interrupted => 130,
        }
    }

    /// A stable word for it, for whoever has no reason from the server.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "OK",
            Self::Failed => "FAILED",
            Self::Usage => "USAGE",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::TimedOut => "TIMED_OUT",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::Unreachable => "UNREACHABLE",
            Self::Partial => "PARTIAL",
            Self::Untrue => "UNTRUE",
            Self::RolloutFailed => "ROLLOUT_FAILED",
            Self::Interrupted => "INTERRUPTED",
        }
    }

    /// The exit for a number; anything unknown is a failure.
    #[must_use]
    pub fn of_code(code: u8) -> Self {
        [
            Self::Done,
            Self::Usage,
            Self::NotFound,
            Self::Conflict,
            Self::TimedOut,
            Self::NotAllowed,
            Self::Unreachable,
            Self::Partial,
            Self::Untrue,
            Self::RolloutFailed,
            Self::Interrupted,
        ]
        .into_iter()
        .find(|exit| exit.code() == code)
        .unwrap_or(Self::Failed)
    }

    /// The exit for a refused call. The stable reason decides; the gRPC code
    /// only where there is none, as for what the transport itself reports.
    #[must_use]
    pub fn of_status(status: &Status) -> Self {
        match reason_of(status).as_deref() {
            Some(reason::INVALID_ARGUMENT | reason::REQUEST_TOO_LARGE) => Self::Usage,
            Some(reason::BACKUP_UNUSABLE) => Self::Untrue,
            Some(reason::NOT_FOUND) => Self::NotFound,
            Some(reason::ETAG_MISMATCH | reason::GENERATION_MISMATCH) => Self::Conflict,
            Some(reason::UNAUTHENTICATED | reason::PERMISSION_DENIED) => Self::NotAllowed,
            Some(reason::NO_LEADER | reason::BACKEND_UNAVAILABLE | reason::LOGS_UNREACHABLE) => Self::Unreachable,
            Some(_) | None => Self::of_grpc_code(status.code()),
        }
    }

    fn of_grpc_code(code: Code) -> Self {
        match code {
            Code::Ok => Self::Done,
            Code::InvalidArgument => Self::Usage,
            Code::NotFound => Self::NotFound,
            Code::Aborted => Self::Conflict,
            Code::Unauthenticated | Code::PermissionDenied => Self::NotAllowed,
            Code::Unavailable | Code::DeadlineExceeded => Self::Unreachable,
            Code::Cancelled
            | Code::Unknown
            | Code::AlreadyExists
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => Self::Failed,
        }
    }

    /// The exit for several targets: all done, none done, or some.
    #[must_use]
    pub fn of_counts(done: usize, failed: usize) -> Self {
        match (done, failed) {
            (_, 0) => Self::Done,
            (0, _) => Self::Failed,
            (_, _) => Self::Partial,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::error::status;

    #[test]
    fn the_reason_outranks_the_code() {
        for (code, why, exit) in [
            (Code::NotFound, reason::NOT_FOUND, Exit::NotFound),
            (Code::InvalidArgument, reason::INVALID_ARGUMENT, Exit::Usage),
            (Code::ResourceExhausted, reason::REQUEST_TOO_LARGE, Exit::Usage),
            (Code::Aborted, reason::ETAG_MISMATCH, Exit::Conflict),
            (Code::Aborted, reason::GENERATION_MISMATCH, Exit::Conflict),
            (Code::Unauthenticated, reason::UNAUTHENTICATED, Exit::NotAllowed),
            (Code::PermissionDenied, reason::PERMISSION_DENIED, Exit::NotAllowed),
            (Code::Unavailable, reason::NO_LEADER, Exit::Unreachable),
            (Code::FailedPrecondition, reason::LOGS_UNREACHABLE, Exit::Unreachable),
            (Code::Internal, reason::INTERNAL, Exit::Failed),
            (Code::OutOfRange, reason::REVISION_COMPACTED, Exit::Failed),
        ] {
            assert_eq!(Exit::of_status(&status(code, why, "x", &[])), exit, "{why}");
        }
    }

    #[test]
    fn a_status_without_a_reason_goes_by_its_code() {
        assert_eq!(Exit::of_status(&Status::unavailable("refused")), Exit::Unreachable);
        assert_eq!(Exit::of_status(&Status::unauthenticated("no")), Exit::NotAllowed);
        assert_eq!(Exit::of_status(&Status::not_found("no")), Exit::NotFound);
        assert_eq!(Exit::of_status(&Status::internal("bug")), Exit::Failed);
    }

    #[test]
    fn codes_read_back_and_partial_is_neither_all_nor_nothing() {
        for code in [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 130] {
            assert_eq!(Exit::of_code(code).code(), code);
        }
        assert_eq!(Exit::of_counts(3, 0), Exit::Done);
        assert_eq!(Exit::of_counts(0, 2), Exit::Failed);
        assert_eq!(Exit::of_counts(1, 2), Exit::Partial);
        assert_eq!(Exit::of_counts(0, 0), Exit::Done);
    }
}
