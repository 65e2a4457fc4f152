//! What members are asked besides consensus: a number for a replica that
//! joins, and how this one fares.

use futures::future::BoxFuture;
use pm_proto::v1;
use tonic::Status;

/// Answers it. `forwarded`: another member passes it on, so it ends here.
pub trait Attendant: Send + Sync + 'static {
    /// Gives a number, and sends the log from then on.
    fn enroll(
        &self,
        request: v1::EnrollMemberRequest,
        forwarded: bool,
        certificate: Option<String>,
    ) -> BoxFuture<'static, Result<v1::EnrollMemberResponse, Status>>;

    /// How this replica fares.
    fn status(&self) -> v1::GetReplicaStatusResponse;
}
