//! Sockets that are open before the program is.

use super::faults::Faults;
use crate::spec::{Listen, ProcessSpec, Socket, limits};
use std::collections::BTreeSet;

pub(super) fn check(spec: &ProcessSpec, faults: &mut Faults) {
    let sockets = &spec.sockets;
    faults.count("sockets", sockets.len(), limits::LIST);
    if spec.instances > 1 && !sockets.is_empty() {
        let problem = format!("{} instances would listen at one address", spec.instances);
        faults.add("sockets", problem, "leave them out, or write instances: 1");
    }
    let mut names = BTreeSet::new();
    let mut places = BTreeSet::new();
    for socket in sockets {
        let field = format!("sockets.{}", socket.name);
        check_name(&field, &socket.name, faults);
        if !names.insert(&socket.name) {
            faults.twice(&field, format!("{:?}", socket.name));
        }
        if !places.insert(place(socket)) {
            faults.add(&field, "another socket listens there already", "write another address");
        }
        faults.number(format!("{field}.backlog"), socket.backlog, &limits::BACKLOG);
        match &socket.listen {
            Listen::Tcp(address) | Listen::Udp(address) => faults.port(format!("{field}.listen"), address.port()),
            Listen::Unix { path, mode } => {
                check_path(&format!("{field}.listen"), path, faults);
                faults.mode(format!("{field}.mode"), *mode);
            }
        }
    }
}

/// A name for `LISTEN_FDNAMES` (sd_listen_fds(3)).
fn check_name(field: &str, name: &str, faults: &mut Faults) {
    let odd = |b: u8| !(b' '..=b'~').contains(&b) || b == b':';
    if name.is_empty() || name.len() > 255 || name.bytes().any(odd) {
        let fix = "use 1 to 255 visible ASCII characters, no colon";
        faults.add(field, format!("{name:?} is no name of a socket"), fix);
    }
}

fn check_path(field: &str, path: &str, faults: &mut Faults) {
    faults.path(field, path);
    if path.len() > limits::UNIX_PATH_BYTES {
        let fix = format!("write at most {} (unix(7))", limits::UNIX_PATH_BYTES);
        faults.add(field, format!("the path has {} bytes", path.len()), fix);
    } else if path.ends_with('/') {
        faults.add(field, format!("{path:?} is a folder"), "write the path of the socket");
    }
}

fn place(socket: &Socket) -> (&'static str, String) {
    match &socket.listen {
        Listen::Tcp(address) => ("tcp", address.to_string()),
        Listen::Udp(address) => ("udp", address.to_string()),
        Listen::Unix { path, .. } => ("unix", path.clone()),
    }
}
