//! The server's side: accepted connections of either kind as one stream.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::{Incoming, Severable};
use crate::identity::{Certificate, HANDSHAKE, Shown};

/// After an accept failed for want of descriptors or memory: a pause, because the very same error is there again
/// at once and nothing tells when it is over.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One accepted connection.
pub(crate) enum Connection {
    Tcp(TcpStream, Peer),
    Tls(Box<TlsStream<TcpStream>>, Peer, Certificate),
    Memory(DuplexStream),
}

/// Handshakes at a time. Each is a task of its own, a few kilobytes, and over after [`HANDSHAKE`] at the latest; as many
/// strangers who say nothing hold up nobody else before.
const HANDSHAKES: usize = 1024;

/// Both ends of an accepted TCP connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: SocketAddr,
}

/// All connections that arrive; each ends when `sever` is cancelled. Never ends by itself.
pub(crate) fn connections(
    incoming: Incoming,
    sever: CancellationToken,
) -> impl Stream<Item = io::Result<Severable<Connection>>> {
    let taken = futures::stream::unfold(incoming, |mut incoming| async move {
        let taken = match &mut incoming {
            Incoming::Tcp(listener) => {
                let (stream, peer) = accept_tcp(listener).await;
                Taken::Done(Connection::Tcp(stream, peer))
            }
            Incoming::Tls { listener, identity, clients } => {
                let (stream, peer) = accept_tcp(listener).await;
                // Of this moment: the pair may be another one for the next connection.
                Taken::Shaking(tokio::spawn(handshake(stream, peer, identity.server(*clients))))
            }
            Incoming::Memory(pipes) => Taken::Done(Connection::Memory(pipes.accept().await)),
        };
        Some((taken, incoming))
    });
    let done = taken.map(|taken| async move {
        match taken {
            Taken::Done(connection) => Some(connection),
            Taken::Shaking(task) => task.await.ok().flatten(),
        }
    });
    done.buffer_unordered(HANDSHAKES)
        .filter_map(std::future::ready)
        .map(move |connection| Ok(Severable::new(connection, sever.clone())))
}

/// A connection that was accepted.
enum Taken {
    Done(Connection),
    Shaking(tokio::task::JoinHandle<Option<Connection>>),
}

/// The server's side of a handshake; `None`: it came to nothing, which concerns nobody else.
async fn handshake(stream: TcpStream, peer: Peer, config: Arc<rustls::ServerConfig>) -> Option<Connection> {
    let shaking = tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream));
    match shaking.await {
        Ok(Ok(stream)) => {
            let certificate = Certificate::of(stream.get_ref().1.peer_certificates());
            Some(Connection::Tls(Box::new(stream), peer, certificate))
        }
        // Who only looks whether somebody is there, as a load balancer does, is nothing to be told of.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => None,
        Ok(Err(error)) => {
            tracing::warn!(peer = %peer.remote, %error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::info!(peer = %peer.remote, "a TLS handshake was not over after 5 s");
            None
        }
    }
}

/// The next TCP connection. Errors of one connection are passed over; want of descriptors is logged and waited out.
pub(crate) async fn accept_tcp(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                // Small messages with an answer each are what Nagle's algorithm delays. Failing here means that the
                // peer has gone already; the first read will say so.
                let _ = stream.set_nodelay(true);
                let local = stream.local_addr().ok();
                return (stream, Peer { local, remote });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// accept(2): "treat pending network errors on the new socket as errors of that connection, and try again".
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted].contains(&error.kind())
}

impl Connected for Severable<Connection> {
    type ConnectInfo = Shown;

    fn connect_info(&self) -> Shown {
        let of = |peer: &Peer| TcpConnectInfo { local_addr: peer.local, remote_addr: Some(peer.remote) };
        match self.get_ref() {
            Connection::Tcp(_, peer) => Shown { tcp: of(peer), certificate: Certificate::Plain },
            Connection::Tls(_, peer, certificate) => Shown { tcp: of(peer), certificate: certificate.clone() },
            Connection::Memory(_) => {
                let tcp = TcpConnectInfo { local_addr: None, remote_addr: None };
                Shown { tcp, certificate: Certificate::Plain }
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream, _, _) => Pin::new(stream).poll_read(cx, buf),
            Self::Memory(pipe) => Pin::new(pipe).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream, _, _) => Pin::new(stream).poll_write(cx, buf),
            Self::Memory(pipe) => Pin::new(pipe).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream, _, _) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Memory(pipe) => Pin::new(pipe).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream, _) => stream.is_write_vectored(),
            Self::Tls(stream, _, _) => stream.is_write_vectored(),
            Self::Memory(pipe) => pipe.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream, _, _) => Pin::new(stream).poll_flush(cx),
            Self::Memory(pipe) => Pin::new(pipe).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream, _, _) => Pin::new(stream).poll_shutdown(cx),
            Self::Memory(pipe) => Pin::new(pipe).poll_shutdown(cx),
        }
    }
}
