//! One connection to an address: the name is resolved anew each time, every
//! address of it is tried, and a refusal by the host ("nobody listens") is
//! told from everything else, because it is evidence that a process is dead.

use super::Timing;
use super::bounds::{CONNECTION_WINDOW, STREAM_WINDOW};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use hyper_util::rt::TokioIo;
use service_host::client::Credentials;
use service_host::identity::{Role, Secured};
use service_host::transport::Wire;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// Why there is no connection, or no link over it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DialFault {
    /// The host answered that nobody listens there.
    #[error("{0}: nobody listens there")]
    Refused(String),
    /// Anything else before a word was said.
    #[error("{address}: {why}")]
    Failed {
        /// Where.
        address: String,
        /// Why.
        why: String,
    },
    /// The connection was accepted and ended in the middle of the greeting.
    #[error("{address}: the connection ended in the middle of the greeting: {why}")]
    CutOff {
        /// Where.
        address: String,
        /// What the transport said.
        why: String,
    },
    /// Somebody is there, and one of the two ends turns the other away.
    #[error("{address}: {why}")]
    Turned {
        /// Where.
        address: String,
        /// Why.
        why: String,
    },
}

impl DialFault {
    pub(super) fn failed(address: &str, why: impl std::fmt::Display) -> Self {
        Self::Failed { address: address.to_owned(), why: why.to_string() }
    }
}

/// A connection, and the name in the certificate of whoever is there, if there was one to be shown.
pub(super) struct Connected {
    pub(super) channel: Channel,
    pub(super) certificate: Option<String>,
}

/// Connects to whoever listens at an address: encrypted, to a registry of our cluster, if we have a certificate.
pub(super) async fn connect(address: &str, credentials: &Credentials, timing: &Timing) -> Result<Connected, DialFault> {
    let failed = |why: &dyn std::fmt::Display| DialFault::failed(address, why);
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|error| failed(&error))?;
    let scheme = if credentials.identity().is_some() { "https" } else { "http" };
    let no_address = || failed(&format!("it is no address that this replica may call; write {scheme}://HOST:PORT"));
    let place = host_and_port(endpoint.uri(), scheme).ok_or_else(no_address)?;
    let stream = match tokio::time::timeout(timing.connect, reach(&place, timing.stagger)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(faults)) if refused(&faults) => return Err(DialFault::Refused(address.to_owned())),
        Ok(Err(faults)) => {
            let why: Vec<String> = faults.iter().map(ToString::to_string).collect();
            return Err(failed(&why.join("; ")));
        }
        Err(_) => return Err(failed(&format_args!("no answer within {} ms", timing.connect.as_millis()))),
    };
    let (stream, certificate) = match credentials.identity() {
        None => (Wire::Tcp(stream), None),
        Some(identity) => {
            let host = place.rsplit_once(':').map_or(place.as_str(), |(host, _)| host);
            let secured = Secured::service(identity, Role::Registry);
            let shaken = tokio::time::timeout(timing.connect, secured.handshake(stream, host)).await;
            let shaken = shaken.map_err(|_| failed(&"no TLS handshake in time"))?;
            let (stream, id) = shaken.map_err(|error| failed(&error))?;
            (Wire::Tls(Box::new(stream)), id.map(|id| id.name().to_owned()))
        }
    };
    // A connection that is lost is lost: whoever keeps the link dials again, the channel does not.
    let mut once = Some(stream);
    let connector = tower::service_fn(move |_: Uri| {
        let stream = once.take().map(TokioIo::new).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
        std::future::ready(stream)
    });
    let endpoint = endpoint
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(timing.keepalive)
        .keep_alive_timeout(timing.keepalive_timeout)
        .keep_alive_while_idle(true);
    let channel = endpoint.connect_with_connector(connector).await.map_err(|error| failed(&error))?;
    Ok(Connected { channel, certificate })
}

/// As an HTTP client reads it: a port that is not said is 80, or 443.
fn host_and_port(uri: &Uri, scheme: &str) -> Option<String> {
    let host = uri.host().filter(|host| !host.is_empty() && uri.scheme_str() == Some(scheme))?;
    Some(format!("{host}:{}", uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 })))
}

/// A connection to one of the addresses of a name.
async fn reach(place: &str, stagger: Duration) -> Result<TcpStream, Vec<io::Error>> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(place).await.map_err(|error| vec![error])?.collect();
    let one = |address: SocketAddr| async move {
        let stream = TcpStream::connect(address).await?;
        // Small messages with an answer each are what Nagle's algorithm delays.
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    first_of(addresses.into_iter().map(one).collect(), stagger).await
}

/// Whether every address was answered with a refusal, and there was one.
fn refused(faults: &[io::Error]) -> bool {
    !faults.is_empty() && faults.iter().all(|fault| fault.kind() == io::ErrorKind::ConnectionRefused)
}

/// The first of several tries that succeeds. Each begins when the one before
/// has failed, or has said nothing for a while, and then goes on beside it
/// (RFC 8305, "Happy Eyeballs").
pub(super) async fn first_of<F, T, E>(tries: Vec<F>, stagger: Duration) -> Result<T, Vec<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = tries.into_iter();
    let mut under_way: FuturesUnordered<F> = waiting.next().into_iter().collect();
    let mut faults = Vec::new();
    loop {
        tokio::select! {
            biased;
            done = under_way.next() => match done {
                Some(Ok(reached)) => return Ok(reached),
                Some(Err(fault)) => {
                    faults.push(fault);
                    under_way.extend(waiting.next());
                }
                None => return Err(faults),
            },
            () = tokio::time::sleep(stagger), if waiting.len() > 0 => under_way.extend(waiting.next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_with_a_host() {
        let place = |text: &str| text.parse::<Uri>().ok().and_then(|uri| host_and_port(&uri, "http"));
        let secure = |text: &str| text.parse::<Uri>().ok().and_then(|uri| host_and_port(&uri, "https"));
        assert_eq!(secure("https://10.0.0.1").as_deref(), Some("10.0.0.1:443"));
        assert_eq!(secure("http://10.0.0.1:7481"), None, "nothing in plain text");
        assert_eq!(place("http://registry-0.pm:7481").as_deref(), Some("registry-0.pm:7481"));
        assert_eq!(place("http://[::1]:7481").as_deref(), Some("[::1]:7481"));
        assert_eq!(place("http://10.0.0.1").as_deref(), Some("10.0.0.1:80"));
        for none in ["https://a:1", "a:1", "a", "/a"] {
            assert_eq!(place(none), None, "{none}");
        }
    }

    async fn a_try(n: u8) -> Result<u8, u8> {
        match n {
            0 => std::future::pending().await,
            7 => Ok(7),
            n => Err(n),
        }
    }

    #[tokio::test]
    async fn a_try_that_says_nothing_does_not_keep_the_next_one_waiting() {
        let stagger = Duration::from_millis(5);
        assert_eq!(first_of(vec![a_try(0), a_try(1), a_try(7)], stagger).await, Ok(7));
        assert_eq!(first_of(vec![a_try(1), a_try(2)], stagger).await, Err(vec![1, 2]));
        assert_eq!(first_of([0; 0].map(a_try).into(), stagger).await, Err(vec![]));
    }
}
