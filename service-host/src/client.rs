//! The client's side of a service-to-service call: who calls, for whom, in which trace.
//!
//! Enters: a [`Dial`] and the service token. Leaves: a channel for generated clients, whose every call carries
//! `authorization`, `traceparent`/`tracestate` of the span it is made in and, if set, `pm-actor`.

use std::fmt;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::auth::{self, ACTOR_KEY};
use crate::secret::Secret;
use crate::trace_context;
use crate::transport::{AnyChannel, Dial, TransportError};

/// What generated clients are made over: `ThingServiceClient::new(service_channel(..)?)`.
pub type ServiceChannel = InterceptedService<AnyChannel, ClientContext>;

/// Adds to every call what the server wants to know.
#[derive(Clone)]
pub struct ClientContext {
    authorization: MetadataValue<Ascii>,
    actor: Option<MetadataValue<Ascii>>,
}

/// A channel to `dial` whose calls carry `token` and the trace context. Clone it freely, make it once.
///
/// # Errors
/// As [`Dial::channel`].
pub fn service_channel(dial: &Dial, token: &Secret) -> Result<ServiceChannel, TransportError> {
    Ok(InterceptedService::new(dial.channel()?, ClientContext::new(token)?))
}

impl ClientContext {
    /// Calls with this token, for nobody in particular.
    ///
    /// # Errors
    /// [`TransportError::Token`], which a [`Secret`] does not give rise to: it is visible ASCII.
    pub fn new(token: &Secret) -> Result<Self, TransportError> {
        let mut authorization =
            MetadataValue::try_from(format!("Bearer {}", token.expose())).map_err(TransportError::Token)?;
        // Kept out of `Debug` and out of HTTP/2's header table.
        authorization.set_sensitive(true);
        Ok(Self { authorization, actor: None })
    }

    /// Calls on behalf of `actor`, whom the server reads by [`auth::actor`]. A call that has set `pm-actor` itself
    /// keeps its own.
    #[must_use]
    pub fn with_actor(self, actor: String) -> Self {
        Self { actor: auth::encode_actor(&actor), ..self }
    }
}

impl Interceptor for ClientContext {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.authorization.clone());
        if let Some(actor) = &self.actor
            && !metadata.contains_key(ACTOR_KEY)
        {
            metadata.insert(ACTOR_KEY, actor.clone());
        }
        trace_context::inject(metadata.as_mut());
        Ok(request)
    }
}

impl fmt::Debug for ClientContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientContext").field("actor", &self.actor).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_marked_as_sensitive_and_debug_shows_none_of_it() {
        let context = ClientContext::new(&Secret::new("hunter2").unwrap()).unwrap().with_actor("admin".into());
        assert!(context.authorization.is_sensitive());
        let shown = format!("{context:?} {:?}", context.authorization);
        assert!(shown.contains("admin") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_call_that_names_its_own_actor_keeps_it() {
        let mut context = ClientContext::new(&Secret::new("hunter2").unwrap()).unwrap().with_actor("gateway".into());
        let mut request = Request::new(());
        request.metadata_mut().insert(ACTOR_KEY, "admin".parse().unwrap());
        assert_eq!(auth::actor(&context.call(request).unwrap()), "admin");
        assert_eq!(auth::actor(&context.call(Request::new(())).unwrap()), "gateway");
    }
}
