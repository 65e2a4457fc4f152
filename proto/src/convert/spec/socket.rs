//! Sockets that are open before the program is.

use super::reader::Reader;
use crate::v1::{self, socket::Listen as Wire};
use process_model::spec::{Listen, Socket, limits::default};

pub(super) fn sockets_from_wire(wire: &[v1::Socket], reader: &mut Reader) -> Vec<Socket> {
    let read = |(index, socket): (usize, &v1::Socket)| {
        let field =
            if socket.name.is_empty() { format!("sockets[{index}]") } else { format!("sockets.{}", socket.name) };
        let listen = listen(&field, socket.listen.as_ref(), reader)?;
        Some(Socket { name: socket.name.clone(), listen, backlog: socket.backlog.unwrap_or(default::BACKLOG) })
    };
    wire.iter().enumerate().filter_map(read).collect()
}

fn listen(field: &str, wire: Option<&Wire>, reader: &mut Reader) -> Option<Listen> {
    let mut address = |text: &str| {
        let fix = "write an address and a port, as 127.0.0.1:8080 or [::1]:8080";
        text.parse().map_err(|_| reader.fault(format!("{field}.listen"), format!("{text:?} is no address"), fix)).ok()
    };
    match wire {
        Some(Wire::Tcp(text)) => address(text).map(Listen::Tcp),
        Some(Wire::Udp(text)) => address(text).map(Listen::Udp),
        Some(Wire::Unix(unix)) => {
            Some(Listen::Unix { path: unix.path.clone(), mode: unix.mode.unwrap_or(default::SOCKET_MODE) })
        }
        None => {
            reader.fault(format!("{field}.listen"), "it is missing", "write tcp, udp or unix");
            None
        }
    }
}

pub(super) fn socket_to_wire(socket: &Socket) -> v1::Socket {
    let listen = match &socket.listen {
        Listen::Tcp(address) => Wire::Tcp(address.to_string()),
        Listen::Udp(address) => Wire::Udp(address.to_string()),
        Listen::Unix { path, mode } => Wire::Unix(v1::UnixListen { path: path.clone(), mode: Some(*mode) }),
    };
    v1::Socket { name: socket.name.clone(), listen: Some(listen), backlog: Some(socket.backlog) }
}
