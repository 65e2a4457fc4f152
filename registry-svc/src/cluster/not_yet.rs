//! In the place of the services as long as there is nothing to serve: every
//! call is answered with what is being waited for, and may be repeated.

use http::{Request, Response};
use pm_proto::error::{reason, status};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::task::{Context, Poll};
use tokio::sync::watch;
use tonic::Code;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

/// Answers in the name of the service `S`.
pub(super) struct NotYet<S> {
    waiting: watch::Receiver<String>,
    named: PhantomData<fn() -> S>,
}

impl<S> NotYet<S> {
    pub(super) fn new(waiting: &watch::Receiver<String>) -> Self {
        Self { waiting: waiting.clone(), named: PhantomData }
    }
}

impl<S> Clone for NotYet<S> {
    fn clone(&self) -> Self {
        Self::new(&self.waiting)
    }
}

impl<S: NamedService> NamedService for NotYet<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for NotYet<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let why = self.waiting.borrow().clone();
        ready(Ok(status(Code::Unavailable, reason::NO_LEADER, why, &[("leader", "")]).into_http()))
    }
}
