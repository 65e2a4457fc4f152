//! One connection to one member, and the making of it.
//!
//! A line is one TCP connection and never another: when it is lost it says so and stays lost, so that whoever makes the
//! next one can ask several members at a time. (A tonic channel would connect anew by itself, inside of a call, for as
//! long as a black hole takes.)

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};

use crate::identity::Secured;
use crate::transport::wire::Wire;
use crate::transport::{CONNECTION_WINDOW, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, STREAM_WINDOW};

/// A connect that takes longer has failed. One lost SYN is sent again after 1 s, so a bad line still gets through; who
/// waits has asked the next member long before.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) channel: Channel,
    open: Arc<AtomicBool>,
}

impl Line {
    /// Whether it was not lost, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Whether both are the same connection.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.open, &other.open)
    }
}

/// A connection that is being made, for all who wait for it; or why there is none.
pub(super) type Dialling = Shared<BoxFuture<'static, Result<Line, Arc<str>>>>;

/// Begins to connect to `http://HOST:PORT`, or to `https://HOST:PORT` with what that needs. It goes on when nobody waits any more: the next caller finds it done.
pub(super) fn dial(address: &str, secured: Option<&Secured>) -> Dialling {
    let connecting = tokio::spawn(connect(address.to_owned(), secured.cloned()));
    // The runtime ends; so does whoever asks.
    let made = connecting.map(|made| made.unwrap_or_else(|_| Err("the program is ending".into())));
    made.boxed().shared()
}

async fn connect(address: String, secured: Option<Secured>) -> Result<Line, Arc<str>> {
    let told = |why: &dyn std::fmt::Display| Arc::from(why.to_string());
    let authority = address.split_once("://").map_or(address.as_str(), |(_, authority)| authority);
    let reaching = async {
        let stream = TcpStream::connect(authority).await?;
        // As everywhere: small messages with an answer each are what Nagle's algorithm delays. If it fails, so does the line.
        let _ = stream.set_nodelay(true);
        match secured {
            Some(secured) => {
                let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
                Ok(Wire::Tls(Box::new(secured.handshake(stream, host).await?.0)))
            }
            None => Ok::<_, io::Error>(Wire::Tcp(stream)),
        }
    };
    let stream = match tokio::time::timeout(CONNECT_TIMEOUT, reaching).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(told(&error)),
        Err(_) => return Err(told(&format_args!("no connection within {} s", CONNECT_TIMEOUT.as_secs()))),
    };
    let open = Arc::new(AtomicBool::new(true));
    let mut stream = Some(TokioIo::new(Watched { stream, open: open.clone() }));
    let only_once = tower::service_fn(move |_| {
        let stream = stream.take();
        async move { stream.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the connection was lost")) }
    });
    let endpoint = Endpoint::from_shared(address).map_err(|error| told(&error))?;
    let channel = endpoint
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect_with_connector(only_once)
        .await
        .map_err(|error| told(&error))?;
    Ok(Line { channel, open })
}

/// A stream that says when it is gone.
struct Watched {
    stream: Wire,
    open: Arc<AtomicBool>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.open.store(false, Ordering::Release);
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
