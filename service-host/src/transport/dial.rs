//! Where a service is, and how a client gets a channel to it.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use tonic::transport::Endpoint;

use super::{
    AnyChannel, CONNECTION_WINDOW, ClusterChannel, Endpoints, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, MemoryConnector,
    MemoryIncoming, STREAM_WINDOW,
};
use crate::identity::{Clients, Identity, Secured};

/// A connect that takes longer has failed; the next call tries again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The address of a service.
#[derive(Clone, Debug)]
pub enum Dial {
    /// `http://host:port`.
    Tcp(String),
    /// A service in the same process.
    Memory(MemoryConnector),
    /// A service with several replicas: whoever answers.
    Cluster(Endpoints),
    /// One or several, over encrypted connections. Made by [`Endpoints::secured`].
    Tls(Endpoints, Secured),
}

/// Where a server takes its connections from.
#[derive(Debug)]
pub enum Incoming {
    /// A bound socket.
    Tcp(tokio::net::TcpListener),
    /// A bound socket whose connections are encrypted.
    Tls {
        /// The socket.
        listener: tokio::net::TcpListener,
        /// Who this server is.
        identity: Identity,
        /// What its clients have to show.
        clients: Clients,
    },
    /// The same process.
    Memory(MemoryIncoming),
}

/// Why there is no channel. A service that is merely down is not among these: calls then fail with `UNAVAILABLE`.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Not an address.
    #[error("{address:?} is not an address; write http://HOST:PORT, or https://HOST:PORT for an encrypted one")]
    Address {
        /// What was given.
        address: String,
        /// Why it is none.
        #[source]
        source: Option<tonic::transport::Error>,
    },
    /// TLS is asked for, and there is nothing to speak it with.
    #[error(
        "{address} asks for TLS, which needs a certificate: give --tls-dir, or --ca for a client; or write http://"
    )]
    NeedsCertificate {
        /// Which.
        address: String,
    },
    /// A service that has a certificate sends nothing in plain text.
    #[error("{address} is plain text, and this service has a certificate: write https://")]
    PlainText {
        /// Which.
        address: String,
    },
    /// A channel runs a task, so it has to be made inside a Tokio runtime.
    #[error("a channel was asked for outside of a Tokio runtime")]
    NoRuntime,
    /// The token cannot travel in a header.
    #[error("the token cannot be sent in a header")]
    Token(#[source] tonic::metadata::errors::InvalidMetadataValue),
}

impl Incoming {
    /// What a socket takes: encrypted connections if there is an identity.
    #[must_use]
    pub fn tcp(listener: tokio::net::TcpListener, identity: Option<&Identity>, clients: Clients) -> Self {
        match identity.cloned() {
            Some(identity) => Self::Tls { listener, identity, clients },
            None => Self::Tcp(listener),
        }
    }

    /// Who this server is.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Tls { identity, .. } => Some(identity),
            Self::Tcp(_) | Self::Memory(_) => None,
        }
    }
}

impl Dial {
    /// Whether both ends are services and show certificates, so that a token says nothing more.
    #[must_use]
    pub fn is_mutual(&self) -> bool {
        match self {
            Self::Tls(_, secured) => secured.is_mutual(),
            Self::Tcp(_) | Self::Memory(_) | Self::Cluster(_) => false,
        }
    }

    /// Finds out whether somebody is there, by a connection that is closed at once: for whoever waits for a service
    /// that may be away for hours, a try costs a tenth of what a call does.
    ///
    /// # Errors
    /// Nobody answers, or the address is none; in words, with the address.
    pub async fn knock(&self) -> std::io::Result<()> {
        let address = match self {
            Self::Tcp(address) => address,
            // A cluster's channel connects before it makes a call of it, and knows more addresses than these.
            Self::Memory(_) | Self::Cluster(_) | Self::Tls(..) => return Ok(()),
        };
        let told = |why: &dyn std::fmt::Display| std::io::Error::other(format!("{address}: {why}"));
        let uri: tonic::transport::Uri = address.parse().map_err(|e| told(&e))?;
        // As an HTTP client reads it: a port that is not said is 80.
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let authority = if uri.port().is_some() { authority } else { format!("{authority}:80") };
        match tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::TcpStream::connect(authority)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(told(&e)),
            Err(_) => Err(told(&format_args!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    /// A channel that connects at the first call, multiplexes all calls over one connection, and connects anew by
    /// itself after the connection was lost. Clone it freely, make it once.
    ///
    /// # Errors
    /// When the address is none, or outside of a Tokio runtime.
    pub fn channel(&self) -> Result<AnyChannel, TransportError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(TransportError::NoRuntime);
        }
        match self {
            Self::Tcp(address) => {
                // No ping in memory: a pipe within the process cannot lose its other end without closing, and an
                // idle process must not wake up for it.
                let endpoint = endpoint(address)?
                    .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
                    .keep_alive_timeout(KEEPALIVE_TIMEOUT)
                    .keep_alive_while_idle(true)
                    .tcp_nodelay(true);
                Ok(AnyChannel::One(endpoint.connect_lazy()))
            }
            Self::Memory(connector) => {
                let connector = connector.clone();
                let connecting = tower::service_fn(move |_| {
                    let connector = connector.clone();
                    async move { connector.connect().await.map(TokioIo::new) }
                });
                Ok(AnyChannel::One(endpoint("http://in-memory")?.connect_with_connector_lazy(connecting)))
            }
            Self::Cluster(endpoints) => ClusterChannel::new(endpoints).map(AnyChannel::Several),
            Self::Tls(endpoints, secured) => {
                ClusterChannel::over(endpoints, Some(secured.clone())).map(AnyChannel::Several)
            }
        }
    }
}

fn endpoint(address: &str) -> Result<Endpoint, TransportError> {
    let refused = |source| TransportError::Address { address: address.to_owned(), source };
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|error| refused(Some(error)))?;
    // An `https` address must fail loudly, not go out in plain text.
    if endpoint.uri().scheme_str() == Some("https") && endpoint.uri().host().is_some() {
        return Err(TransportError::NeedsCertificate { address: address.to_owned() });
    }
    if endpoint.uri().scheme_str() != Some("http") || endpoint.uri().host().is_none() {
        return Err(refused(None));
    }
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_knock_tells_whether_somebody_is_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        Dial::Tcp(address.clone()).knock().await.unwrap();
        drop(listener);
        let error = Dial::Tcp(address.clone()).knock().await.unwrap_err().to_string();
        assert!(error.contains(&address) && error.contains("refused"), "{error}");
        let error = Dial::Tcp("no address".into()).knock().await.unwrap_err().to_string();
        assert!(error.contains("no address"), "{error}");
    }

    #[tokio::test]
    async fn an_address_is_http_with_a_host() {
        for good in ["http://127.0.0.1:7481", "http://registry.example:7481", "http://[::1]:7481"] {
            assert!(Dial::Tcp(good.into()).channel().is_ok(), "{good}");
        }
        let error = Dial::Tcp("https://127.0.0.1:7481".into()).channel().unwrap_err();
        assert!(matches!(error, TransportError::NeedsCertificate { .. }), "{error}");
        for bad in ["", "127.0.0.1:7481", "http://", "registry", "http://a b"] {
            let error = Dial::Tcp(bad.into()).channel().unwrap_err();
            assert!(matches!(&error, TransportError::Address { address, .. } if address == bad), "{bad}: {error}");
        }
    }

    #[test]
    fn outside_of_a_runtime_there_is_an_error_and_no_panic() {
        let error = Dial::Tcp("http://127.0.0.1:1".into()).channel().unwrap_err();
        assert!(matches!(error, TransportError::NoRuntime));
    }
}
