//! A port for a program of a test.

use tokio::net::TcpSocket;

/// A port for whoever will listen there with `SO_REUSEADDR`, as a keeper and Python's servers do: given to nobody else
/// as long as the socket is held.
pub(crate) fn reserved() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}
