//! Asking whoever listens at an address who it is, and handing it the plan of
//! a cluster. Nothing is kept of the connection: this is before there are
//! members and links.

use super::dial::{DialFault, connect};
use super::introducer::Introduced;
use super::{Timing, wire};
use pm_proto::v1;
use pm_proto::v1::peer_service_client::PeerServiceClient;
use registry_quorum::founding::FoundingPlan;
use service_host::client::{Credentials, ServiceChannel};
use service_host::transport::{AnyChannel, TransportError};
use std::time::Duration;
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Status};

/// Why a replica did not introduce itself, or did not take a plan.
#[derive(Debug, thiserror::Error)]
pub enum IntroduceFault {
    /// The host answered that nobody listens there: it is not started yet, or not any more.
    #[error("{0}: nobody listens there")]
    NobodyListens(String),
    /// No connection.
    #[error("{0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("{address}: no answer within {} ms", within.as_millis())]
    Late {
        /// Who was asked.
        address: String,
        /// How long it had.
        within: Duration,
    },
    /// It does not accept our token.
    #[error(
        "{0}: the token, or the certificate, is not accepted; give all replicas the same --service-token-file, or certificates of one CA"
    )]
    Denied(String),
    /// It listens, and does not know the question.
    #[error("{0}: no registry that introduces itself listens there; correct the address, or upgrade it")]
    NoRegistry(String),
    /// It answered something else.
    #[error("{address}: {why}")]
    Nonsense {
        /// Who was asked.
        address: String,
        /// What was wrong.
        why: String,
    },
    /// It does not take the plan.
    #[error("{address} does not take the plan: {why}")]
    NotTaken {
        /// Who was asked.
        address: String,
        /// Why.
        why: String,
    },
    /// Our own token cannot be sent.
    #[error("the token cannot be sent")]
    Token(#[source] TransportError),
}

/// Asks whoever listens at an address who it is.
///
/// # Errors
/// See [`IntroduceFault`].
pub async fn introduce(
    address: &str,
    token: impl Into<Credentials>,
    within: Duration,
) -> Result<Introduced, IntroduceFault> {
    let token = &token.into();
    let asking = async {
        let answer = client(address, token, within).await?.introduce(v1::IntroduceRequest {}).await;
        let answer = answer.map_err(|status| fault(address, &status))?.into_inner();
        wire::introduced_from(answer)
            .map_err(|why| IntroduceFault::Nonsense { address: address.to_owned(), why: why.to_string() })
    };
    in_time(address, within, asking).await
}

/// Hands a plan to the replica at an address. On success it is on that
/// replica's disk.
///
/// # Errors
/// See [`IntroduceFault`].
pub async fn hand_out(
    address: &str,
    token: impl Into<Credentials>,
    plan: &FoundingPlan,
    within: Duration,
) -> Result<(), IntroduceFault> {
    let token = &token.into();
    let asking = async {
        let request = v1::FoundClusterRequest { plan: Some(wire::plan_into(plan.clone())) };
        let answer = client(address, token, within).await?.found_cluster(request).await;
        let why = answer.map_err(|status| fault(address, &status))?.into_inner().refusal;
        if why.is_empty() { Ok(()) } else { Err(IntroduceFault::NotTaken { address: address.to_owned(), why }) }
    };
    in_time(address, within, asking).await
}

/// On calls that one replica passes on to another: they go no further.
pub(crate) const FORWARDED: &str = "pm-forwarded";

/// Why there is no number.
#[derive(Debug, thiserror::Error)]
pub enum EnrollFault {
    /// Not now, or not there.
    #[error(transparent)]
    NotNow(#[from] IntroduceFault),
    /// Never, as things are.
    #[error("{0}")]
    Refused(String),
}

/// Asks a member for a number in its cluster.
///
/// # Errors
/// See [`EnrollFault`].
pub async fn enroll(
    address: &str,
    token: impl Into<Credentials>,
    request: v1::EnrollMemberRequest,
    within: Duration,
) -> Result<v1::EnrollMemberResponse, EnrollFault> {
    let token = &token.into();
    let asking = async { Ok(client(address, token, within).await?.enroll_member(request).await) };
    match in_time(address, within, asking).await? {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) if status.code() == Code::FailedPrecondition => {
            Err(EnrollFault::Refused(status.message().to_owned()))
        }
        Err(status) => Err(fault(address, &status).into()),
    }
}

async fn client(
    address: &str,
    token: &Credentials,
    within: Duration,
) -> Result<PeerServiceClient<ServiceChannel>, IntroduceFault> {
    let context = token.context().map_err(IntroduceFault::Token)?;
    let timing = Timing { connect: within, ..Timing::default() };
    let channel = connect(address, token, &timing).await.map_err(|why| match why {
        DialFault::Refused(address) => IntroduceFault::NobodyListens(address),
        DialFault::Failed { .. } | DialFault::CutOff { .. } | DialFault::Turned { .. } => {
            IntroduceFault::Unreachable(why.to_string())
        }
    })?;
    Ok(PeerServiceClient::new(InterceptedService::new(AnyChannel::One(channel.channel), context)))
}

async fn in_time<T>(
    address: &str,
    within: Duration,
    asking: impl Future<Output = Result<T, IntroduceFault>>,
) -> Result<T, IntroduceFault> {
    let late = |_| IntroduceFault::Late { address: address.to_owned(), within };
    tokio::time::timeout(within, asking).await.map_err(late)?
}

fn fault(address: &str, status: &Status) -> IntroduceFault {
    let address = address.to_owned();
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => IntroduceFault::Denied(address),
        Code::Unimplemented => IntroduceFault::NoRegistry(address),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => IntroduceFault::Unreachable(format!("{address}: {}: {}", status.code(), status.message())),
    }
}
