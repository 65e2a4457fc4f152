//! The server's side: accepted connections of either kind as one stream.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::{Incoming, Severable};

/// After an accept failed for want of descriptors or memory: a pause, because the very same error is there again
/// at once and nothing tells when it is over.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One accepted connection.
pub(crate) enum Connection {
    Tcp(TcpStream, Peer),
    Memory(DuplexStream),
}

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
    futures::stream::unfold((incoming, sever), |(mut incoming, sever)| async move {
        let connection = match &mut incoming {
            Incoming::Tcp(listener) => {
                let (stream, peer) = accept_tcp(listener).await;
                Connection::Tcp(stream, peer)
            }
            Incoming::Memory(pipes) => Connection::Memory(pipes.accept().await),
        };
        let connection = Severable::new(connection, sever.clone());
        Some((Ok(connection), (incoming, sever)))
    })
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
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        match self.get_ref() {
            Connection::Tcp(_, peer) => TcpConnectInfo { local_addr: peer.local, remote_addr: Some(peer.remote) },
            Connection::Memory(_) => TcpConnectInfo { local_addr: None, remote_addr: None },
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_read(cx, buf),
            Self::Memory(pipe) => Pin::new(pipe).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_write(cx, buf),
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
            Self::Memory(pipe) => Pin::new(pipe).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream, _) => stream.is_write_vectored(),
            Self::Memory(pipe) => pipe.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_flush(cx),
            Self::Memory(pipe) => Pin::new(pipe).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_shutdown(cx),
            Self::Memory(pipe) => Pin::new(pipe).poll_shutdown(cx),
        }
    }
}
