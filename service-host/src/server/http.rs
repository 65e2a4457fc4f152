//! A plain HTTP server (HTTP/1.1 and HTTP/2 on one port) with the same bounded stop as the gRPC host.
//!
//! Enters: an axum router, a socket, a stop signal. Leaves: answered requests. What it asks of its callers (token or
//! none) is the router's affair.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::ServeError;
use super::stop::within_bounds;
use crate::transport::{Severable, accept_tcp};

/// The client's address; a handler gets it as `ConnectInfo<ClientAddr>`.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddr(pub SocketAddr);

/// Serves `router` until `shutdown`; then accepts nothing more, waits at most [`super::STOP_GRACE`] for requests in
/// progress and cuts what is left.
///
/// # Errors
/// When the server fails.
pub async fn serve_http(router: Router, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ServeError> {
    let sever = CancellationToken::new();
    let listener = SeverableListener { listener, sever: sever.clone() };
    let serving = axum::serve(listener, router.into_make_service_with_connect_info::<ClientAddr>())
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    match within_bounds(serving.into_future(), &shutdown, &sever).await {
        Some(ended) => ended.map_err(ServeError::Http),
        None => Ok(()),
    }
}

struct SeverableListener {
    listener: TcpListener,
    sever: CancellationToken,
}

impl Listener for SeverableListener {
    type Io = Severable<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, peer) = accept_tcp(&self.listener).await;
        (Severable::new(stream, self.sever.clone()), peer.remote)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, SeverableListener>> for ClientAddr {
    fn connect_info(stream: IncomingStream<'_, SeverableListener>) -> Self {
        Self(*stream.remote_addr())
    }
}
