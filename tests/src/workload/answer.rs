//! What a status says about the outcome of a write. Whoever is not sure says
//! unknown: an unknown that was none costs the search time, a refusal that was
//! none would hide a loss.

use tonic::{Code, Status};

/// What is known of a write after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It has not happened and never will: something else was there.
    Mismatch,
    /// It may have happened, or may yet: ask again with the same id.
    Unknown,
    /// No cluster says so to a right request, whatever its state is.
    Fault,
}

/// Sorts a status.
pub(super) fn known(status: &Status) -> Known {
    match status.code() {
        Code::Aborted => Known::Mismatch,
        // Cancelled is tonic's own deadline; Unknown, Internal and DataLoss are a broken connection.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted | Code::Unknown => {
            Known::Unknown
        }
        Code::Internal if is_of_transport(status) => Known::Unknown,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated => Known::Fault,
    }
}

/// A stream that ended in the middle is told as INTERNAL by the client's own
/// side; what the registry means by INTERNAL is a fault.
fn is_of_transport(status: &Status) -> bool {
    std::error::Error::source(status).is_some() || status.message().contains("h2 protocol error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_counts_as_refused() {
        assert_eq!(known(&Status::aborted("etag")), Known::Mismatch);
        for unsure in [Code::Unavailable, Code::Cancelled, Code::DeadlineExceeded, Code::ResourceExhausted] {
            assert_eq!(known(&Status::new(unsure, "")), Known::Unknown, "{unsure:?}");
        }
        for fault in [Code::InvalidArgument, Code::AlreadyExists, Code::Internal, Code::Unauthenticated] {
            assert_eq!(known(&Status::new(fault, "")), Known::Fault, "{fault:?}");
        }
    }
}
