//! [`ClusterChannel`]: one channel to a service that has several replicas.
//!
//! Enters: calls, as to any channel; addresses; hints who leads. Leaves: one answer for each call, from whichever member
//! gave it. Decides who is asked, when somebody else is, and when to stop.
//!
//! ```text
//!   call ─▶ kind ─┬─ Read, Change ─▶ held request ─▶ attempt ─▶ answer: final? ── yes ─▶ caller
//!                 │                       ▲             │          no leader, unknown
//!                 │                       └── pauses ◀──┴──◀────── refused, broken
//!                 └─ Stream ─▶ first who can be connected ─▶ caller
//! ```
//!
//! | file | what |
//! |---|---|
//! | `kind` | what a method's name says: read, change, stream |
//! | `attempts` | one call on its way from member to member |
//! | `reach` | a connection to the first of several who can be reached |
//! | `book`, `preference` | members, and who is asked first |
//! | `line` | one connection |
//! | `held` | bodies that can be sent or judged again |
//! | `answer` | what a refusal says about asking somebody else |
//! | `pauses` | full jitter |
//! | `nobody` | the error that names everybody who was tried |

mod answer;
mod attempts;
mod book;
mod held;
mod kind;
mod line;
mod nobody;
mod pauses;
mod preference;
mod reach;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::{Endpoints, TransportError};
use crate::identity::Secured;
pub use answer::REQUEST_ID_KEY;
use book::Book;
pub use kind::CallKind;
pub use nobody::NobodyAnswers;
pub use pauses::roll;

/// A channel to whichever member answers. Clones share connections and what is known of the members.
#[derive(Clone)]
pub struct ClusterChannel(Arc<Mutex<Book>>);

impl ClusterChannel {
    /// A channel that connects at the first call.
    ///
    /// # Errors
    /// Outside of a Tokio runtime.
    pub fn new(endpoints: &Endpoints) -> Result<Self, TransportError> {
        Self::over(endpoints, None)
    }

    /// The same over encrypted connections.
    pub(super) fn over(endpoints: &Endpoints, secured: Option<Secured>) -> Result<Self, TransportError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(TransportError::NoRuntime);
        }
        Ok(Self(Arc::new(Mutex::new(Book::new(endpoints, secured)))))
    }

    /// Asks `address` first from now on, as `http://HOST:PORT` or `HOST:PORT`. An address that is no member is not asked:
    /// a hint must not lead a token to a stranger. Nor is one that broke a moment ago: its peers may not know it yet.
    /// Returns whether it is first now.
    pub fn prefer(&self, address: &str) -> bool {
        self.book().prefer(address, Instant::now())
    }

    /// Puts whoever was asked last behind all others for a while: for what only its caller can see, as a stream that
    /// ended because somebody else leads now.
    pub fn pass_over(&self) {
        self.book().pass_over(Instant::now());
    }

    /// Members from now on are the endpoints that were given and these. What is no address is left out, and told.
    pub fn learn(&self, addresses: &[String]) {
        let refused = self.book().learn(addresses);
        for address in refused {
            tracing::warn!(address, "an address of the cluster is none; it is left out");
        }
    }

    /// Connects to the first who can be, if nobody is connected: for whoever waits for a service that may be away for
    /// hours, a try costs a tenth of what a call does.
    ///
    /// # Errors
    /// Nobody can be, with everybody's address and reason.
    pub async fn knock(&self) -> std::io::Result<()> {
        let mut nobody = NobodyAnswers::default();
        let mut candidates = self.book().order(Instant::now());
        match reach::reach(self, &mut candidates, &mut nobody).await {
            Some(_) => Ok(()),
            None => Err(std::io::Error::other(nobody)),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing that holds the lock panics halfway through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service<Request<Body>> for ClusterChannel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Each attempt waits for its own connection.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let channel = self.clone();
        Box::pin(async move {
            match CallKind::of(request.uri().path()) {
                kind @ (CallKind::Read | CallKind::Change) => attempts::answer(&channel, request, kind).await,
                CallKind::Stream => attempts::once(&channel, request).await,
            }
        })
    }
}

impl fmt::Debug for ClusterChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterChannel").field("members", &self.book().count()).finish_non_exhaustive()
    }
}
