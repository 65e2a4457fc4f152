//! The client's side of a service-to-service call: who calls, for whom, in which trace.
//!
//! Enters: a [`Dial`] and what we show. Leaves: a channel for generated clients, whose every call carries
//! `authorization`, `traceparent`/`tracestate` of the span it is made in and, if set, `pm-actor`.

use std::fmt;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::auth::{self, ACTOR_KEY};
use crate::identity::Identity;
use crate::secret::Secret;
use crate::trace_context;
use crate::transport::{AnyChannel, Dial, TransportError};

/// What generated clients are made over: `ThingServiceClient::new(service_channel(..)?)`.
pub type ServiceChannel = InterceptedService<AnyChannel, ClientContext>;

/// Adds to every call what the server wants to know.
#[derive(Clone)]
pub struct ClientContext {
    authorization: Option<MetadataValue<Ascii>>,
    actor: Option<MetadataValue<Ascii>>,
}

/// What a service shows to another one: its certificate if it has one, else the token.
#[derive(Clone, Debug)]
pub struct Credentials {
    token: Secret,
    identity: Option<Identity>,
}

impl Credentials {
    /// Both; the token counts where there is no identity.
    #[must_use]
    pub fn new(token: Secret, identity: Option<Identity>) -> Self {
        Self { token, identity }
    }

    /// Who it is, if it has a certificate.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// What calls with them carry.
    ///
    /// # Errors
    /// As [`ClientContext::new`].
    pub fn context(&self) -> Result<ClientContext, TransportError> {
        match self.identity {
            Some(_) => Ok(ClientContext::without_token()),
            None => ClientContext::new(&self.token),
        }
    }
}

impl From<Secret> for Credentials {
    fn from(token: Secret) -> Self {
        Self { token, identity: None }
    }
}

impl From<&Secret> for Credentials {
    fn from(token: &Secret) -> Self {
        token.clone().into()
    }
}

impl From<&Credentials> for Credentials {
    fn from(credentials: &Credentials) -> Self {
        credentials.clone()
    }
}

/// A channel to `dial` whose calls carry the trace context and, where no certificates are shown, `token`. Clone it freely,
/// make it once.
///
/// # Errors
/// As [`Dial::channel`].
pub fn service_channel(dial: &Dial, token: &Secret) -> Result<ServiceChannel, TransportError> {
    Ok(InterceptedService::new(dial.channel()?, ClientContext::over(dial, token)?))
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
        Ok(Self { authorization: Some(authorization), actor: None })
    }

    /// The same for calls over `dial`, where certificates may say it all.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn over(dial: &Dial, token: &Secret) -> Result<Self, TransportError> {
        if dial.is_mutual() { Ok(Self::without_token()) } else { Self::new(token) }
    }

    /// Calls of one who shows a certificate, or nothing.
    #[must_use]
    pub fn without_token() -> Self {
        Self { authorization: None, actor: None }
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
        if let Some(authorization) = &self.authorization {
            metadata.insert("authorization", authorization.clone());
        }
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
        assert!(context.authorization.as_ref().unwrap().is_sensitive());
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
