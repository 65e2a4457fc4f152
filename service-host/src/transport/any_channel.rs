//! [`AnyChannel`]: one connection or a whole cluster, the same to whoever calls.

use std::task::{Context, Poll};

use futures::future::{BoxFuture, Either, MapErr, TryFutureExt};
use http::{Request, Response};
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::transport::channel::ResponseFuture;
use tower::Service;

use super::ClusterChannel;

/// What goes wrong below a call: a [`tonic::transport::Error`] of one connection, a [`tonic::Status`] of a cluster.
pub type CallError = Box<dyn std::error::Error + Send + Sync>;

/// A channel of generated clients. Clone it freely, make it once.
#[derive(Clone, Debug)]
pub enum AnyChannel {
    /// To one address.
    One(Channel),
    /// To whichever of several answers.
    Several(ClusterChannel),
}

impl AnyChannel {
    /// Whom to ask first from now on, if it is known here and answers: see [`ClusterChannel::prefer`].
    pub fn prefer(&self, address: &str) -> bool {
        match self {
            Self::One(_) => false,
            Self::Several(cluster) => cluster.prefer(address),
        }
    }

    /// Who was asked last is asked last for a while: see [`ClusterChannel::pass_over`].
    pub fn pass_over(&self) {
        match self {
            Self::One(_) => {}
            Self::Several(cluster) => cluster.pass_over(),
        }
    }

    /// Finds out whether somebody is there, without a call: see [`ClusterChannel::knock`]. Of one connection see
    /// [`super::Dial::knock`].
    ///
    /// # Errors
    /// Nobody is, with everybody's address and reason.
    pub async fn knock(&self) -> std::io::Result<()> {
        match self {
            Self::One(_) => Ok(()),
            Self::Several(cluster) => cluster.knock().await,
        }
    }

    /// Addresses beside those that were given: see [`ClusterChannel::learn`].
    pub fn learn(&self, addresses: &[String]) {
        match self {
            Self::One(_) => {}
            Self::Several(cluster) => cluster.learn(addresses),
        }
    }
}

type Boxing = fn(tonic::transport::Error) -> CallError;

impl Service<Request<Body>> for AnyChannel {
    type Response = Response<Body>;
    type Error = CallError;
    type Future = Either<MapErr<ResponseFuture, Boxing>, BoxFuture<'static, Result<Response<Body>, CallError>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        match self {
            Self::One(channel) => channel.poll_ready(cx).map_err(Into::into),
            Self::Several(cluster) => cluster.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self {
            Self::One(channel) => Either::Left(channel.call(request).map_err(CallError::from as Boxing)),
            Self::Several(cluster) => Either::Right(Box::pin(cluster.call(request).map_err(CallError::from))),
        }
    }
}
