//! One connection to its end. What it sends, be it garbage, concerns nobody
//! else: the worst that comes of it is this task's end.

use super::opening::{self, OPENING_TIME, Speaks};
use crate::door::Door;
use crate::visitor::Peer;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use service_host::identity::{Clients, Identity, Role, accept};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Streams of one HTTP/2 connection at a time: a dashboard or a script that
/// follows everything stays far below.
const MAX_STREAMS: u32 = 1024;
/// Headers of one request: a token, trace context, some metadata.
const MAX_HEADER_BYTES: u32 = 32 * 1024;
/// An HTTP/2 client is asked for a sign of life this often, so that one whose
/// machine vanished does not hold its streams for ever.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// No answer within this time, and it is gone.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a connection until it ends; after `shutdown` only what it has begun. With an identity it is encrypted.
pub(crate) async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    identity: Option<Identity>,
    door: Arc<Door>,
    shutdown: CancellationToken,
) {
    let Some(identity) = identity else {
        let (read, write) = stream.into_split();
        return talk(read, write, Peer { address, operator: None }, door, shutdown).await;
    };
    match accept(&identity, Clients::Public, stream).await {
        Ok((stream, caller)) => {
            let operator = caller.name_as(Role::Operator).map(Arc::from);
            let (read, write) = tokio::io::split(stream);
            talk(read, write, Peer { address, operator }, door, shutdown).await;
        }
        Err(error) => tracing::debug!(%address, %error, "connection ended before its first request"),
    }
}

async fn talk<R, W>(mut read: R, write: W, peer: Peer, door: Arc<Door>, shutdown: CancellationToken)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let opened = tokio::select! {
        () = shutdown.cancelled() => return,
        opened = opening::listen(&mut read, OPENING_TIME) => opened,
    };
    let (speaks, seen) = match opened {
        Ok(opened) => opened,
        Err(error) => return tracing::debug!(peer = %peer.address, %error, "connection ended before its first request"),
    };
    let io = TokioIo::new(tokio::io::join(std::io::Cursor::new(seen).chain(read), write));
    let service = {
        let (peer, shutdown) = (peer.clone(), shutdown.clone());
        service_fn(move |request: http::Request<Incoming>| {
            let (door, peer, shutdown) = (Arc::clone(&door), peer.clone(), shutdown.clone());
            async move { Ok::<_, Infallible>(door.answer(request, &peer, &shutdown).await) }
        })
    };
    let ended = match speaks {
        Speaks::Http1 => {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(OPENING_TIME)
                .max_buf_size(MAX_HEADER_BYTES as usize)
                .serve_connection(io, service);
            drive(connection, &shutdown).await
        }
        Speaks::Http2 => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(MAX_STREAMS)
                .max_header_list_size(MAX_HEADER_BYTES)
                .keep_alive_interval(KEEPALIVE_INTERVAL)
                .keep_alive_timeout(KEEPALIVE_TIMEOUT)
                .serve_connection(io, service);
            drive(connection, &shutdown).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.address, %error, "connection broke off");
    }
}

async fn drive<C: GracefulConnection>(connection: C, shutdown: &CancellationToken) -> Result<(), C::Error> {
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}
