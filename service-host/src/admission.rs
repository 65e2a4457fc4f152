//! Who is let in: on plain text whoever has the token, on encrypted connections whoever's certificate has a role that may make
//! this call.
//!
//! Enters: a call, and what its connection showed. Leaves: the call with a [`Caller`] among its extensions, or a refusal with
//! `google.rpc.ErrorInfo`. What only a gateway or a replica may say of a call (for whom it is made, where it came from) is
//! taken out of everybody else's.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{HeaderName, HeaderValue, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::access::{AccessTable, OnRefusal, RefusedCall, refusal};
use crate::auth::{ACTOR_KEY, bearer, encode_actor, unauthenticated};
use crate::identity::{Caller, Certificate, Role, Shown, denied};
use crate::secret::Secret;

/// Metadata that says where a call came from; as the contract has it.
const SOURCE_KEY: &str = "pm-source";
/// The one that everybody may say: an idempotency key.
const REQUEST_ID_KEY: &str = "pm-request-id";
/// Between replicas: the call goes no further.
const FORWARDED_KEY: &str = "pm-forwarded";

/// A tower layer around all services of a host. Health and reflection are not exempt; probes ask the operations port.
#[derive(Clone)]
pub(crate) struct Admission {
    pub(crate) token: Secret,
    pub(crate) table: AccessTable,
    /// The cluster that certificates have to name; `None`: this host has none itself, and takes plain text alone.
    pub(crate) cluster: Option<Arc<str>>,
    pub(crate) on_refusal: Option<OnRefusal>,
}

/// [`Admission`] around a service.
#[derive(Clone)]
pub(crate) struct Admitted<S> {
    rules: Admission,
    inner: S,
}

impl<S> Layer<S> for Admission {
    type Service = Admitted<S>;

    fn layer(&self, inner: S) -> Admitted<S> {
        Admitted { rules: self.clone(), inner }
    }
}

impl Admission {
    fn admit<B>(&self, request: &Request<B>) -> Result<Caller, Status> {
        let shown = request.extensions().get::<Shown>();
        let path = request.uri().path();
        let (caller, role) = match shown.map_or(&Certificate::Plain, |shown| &shown.certificate) {
            Certificate::Plain => return self.with_token(request).map(|()| Caller::Trusted),
            Certificate::None => (Caller::Stranger, None),
            Certificate::Nameless(why) => {
                let message = format!("the certificate does not say who holds it: {why}");
                return Err(self.refused(&Caller::Stranger, shown, path, denied(&message, &[])));
            }
            Certificate::Of(id) if self.cluster.as_deref() != Some(id.cluster()) => {
                let ours = self.cluster.as_deref().unwrap_or_default();
                let message = format!("{id} belongs to cluster {}, and this one is {ours}", id.cluster());
                return Err(self.refused(&Caller::Certified(id.clone()), shown, path, denied(&message, &[])));
            }
            Certificate::Of(id) => (Caller::Certified(id.clone()), Some(id.role())),
        };
        match refusal(self.table, path, &caller.actor(), role) {
            None => Ok(caller),
            Some(message) if role.is_none() => {
                Err(self.refused(&caller, shown, path, unauthenticated(&format!("{message}; show a certificate"))))
            }
            Some(message) => {
                let data = [("role", role.map_or("", Role::as_str))];
                Err(self.refused(&caller, shown, path, denied(&message, &data)))
            }
        }
    }

    fn with_token<B>(&self, request: &Request<B>) -> Result<(), Status> {
        let why = match bearer(request.headers()) {
            Some(presented) if self.token.matches(presented) => return Ok(()),
            Some(_) => "the token is wrong",
            None => "the call has no token; send the header authorization: Bearer TOKEN",
        };
        let peer = request.extensions().get::<Shown>().and_then(|shown| shown.tcp.remote_addr);
        tracing::warn!(rpc.path = request.uri().path(), ?peer, reason = why, "call refused");
        Err(unauthenticated(why))
    }

    fn refused(&self, caller: &Caller, shown: Option<&Shown>, path: &str, status: Status) -> Status {
        let source = shown.and_then(|shown| shown.tcp.remote_addr);
        tracing::warn!(rpc.path = path, peer = ?source, caller = caller.actor(), reason = status.message(), "call refused");
        if let Some(tell) = &self.on_refusal {
            let method = path.strip_prefix('/').unwrap_or(path).to_owned();
            tell(RefusedCall { actor: caller.actor(), source, method });
        }
        status
    }
}

/// Takes out what this caller may not say, and puts in what is known of it.
fn mark<B>(request: &mut Request<B>, caller: Caller) {
    let shown = request.extensions().get::<Shown>().map(|shown| shown.tcp.clone());
    let source = shown.as_ref().and_then(|tcp| tcp.remote_addr);
    if let Some(tcp) = shown {
        // Where handlers look for the address.
        request.extensions_mut().insert(tcp);
    }
    let headers = request.headers_mut();
    match caller.role() {
        // Who has the token has always been believed.
        None if caller == Caller::Trusted => {}
        Some(Role::Registry) => {}
        Some(Role::Gateway) => drop(headers.remove(FORWARDED_KEY)),
        None | Some(Role::Monitor | Role::Runner | Role::Operator) => {
            let ours = |name: &&HeaderName| name.as_str().starts_with("pm-") && name.as_str() != REQUEST_ID_KEY;
            for name in headers.keys().filter(ours).cloned().collect::<Vec<_>>() {
                headers.remove(name);
            }
            if let Some(source) = source.and_then(|address| HeaderValue::try_from(address.to_string()).ok()) {
                headers.insert(SOURCE_KEY, source);
            }
        }
    }
    if caller != Caller::Trusted
        && !headers.contains_key(ACTOR_KEY)
        && let Some(actor) =
            encode_actor(&caller.actor()).and_then(|actor| HeaderValue::from_bytes(actor.as_bytes()).ok())
    {
        headers.insert(ACTOR_KEY, actor);
    }
    request.extensions_mut().insert(caller);
}

impl<S, B> Service<Request<B>> for Admitted<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<Body>, Infallible>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.rules.admit(&request) {
            Ok(caller) => {
                mark(&mut request, caller);
                Either::Right(self.inner.call(request))
            }
            Err(refusal) => Either::Left(ready(Ok(refusal.into_http()))),
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SpiffeId;
    use tonic::transport::server::TcpConnectInfo;

    fn marked(caller: Caller) -> Vec<(String, String)> {
        let mut request = Request::new(());
        let tcp = TcpConnectInfo { local_addr: None, remote_addr: Some("10.0.0.7:5".parse().unwrap()) };
        request.extensions_mut().insert(Shown { tcp, certificate: Certificate::None });
        for (name, value) in [
            (ACTOR_KEY, "admin"),
            (SOURCE_KEY, "1.2.3.4:5"),
            (FORWARDED_KEY, "1"),
            (REQUEST_ID_KEY, "r-1"),
            ("te", "trailers"),
        ] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        mark(&mut request, caller);
        let text = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
        let mut headers: Vec<_> = request.headers().iter().map(text).collect();
        headers.sort();
        headers
    }

    fn certified(role: Role) -> Caller {
        Caller::Certified(Arc::new(SpiffeId::new("c", role, "n").unwrap()))
    }

    fn of(headers: &[(String, String)], name: &str) -> Option<String> {
        headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn only_a_gateway_or_a_replica_is_believed_when_it_says_for_whom_it_calls() {
        for caller in [Caller::Trusted, certified(Role::Registry)] {
            let headers = marked(caller);
            assert_eq!(of(&headers, ACTOR_KEY).as_deref(), Some("admin"));
            assert_eq!(of(&headers, FORWARDED_KEY).as_deref(), Some("1"));
        }
        let gateway = marked(certified(Role::Gateway));
        assert_eq!((of(&gateway, ACTOR_KEY).as_deref(), of(&gateway, FORWARDED_KEY)), (Some("admin"), None));
        assert_eq!(of(&gateway, SOURCE_KEY).as_deref(), Some("1.2.3.4:5"));
        for (caller, name) in [
            (certified(Role::Runner), "runner:n"),
            (certified(Role::Monitor), "monitor:n"),
            (certified(Role::Operator), "operator:n"),
            (Caller::Stranger, "(no certificate)"),
        ] {
            let headers = marked(caller);
            let mut request = tonic::Request::new(());
            let actor = of(&headers, ACTOR_KEY).unwrap();
            request.metadata_mut().insert(ACTOR_KEY, actor.parse().unwrap());
            assert_eq!(crate::auth::actor(&request), name);
            assert_eq!(of(&headers, SOURCE_KEY).as_deref(), Some("10.0.0.7:5"), "{name}");
            assert_eq!(of(&headers, FORWARDED_KEY), None, "{name}");
            assert_eq!(of(&headers, REQUEST_ID_KEY).as_deref(), Some("r-1"), "{name}");
            assert_eq!(of(&headers, "te").as_deref(), Some("trailers"), "{name}");
        }
    }
}
