//! `sockets`: by name, each where it listens, or a map of that and its kind.

use super::fields::SOCKET;
use super::mapping::{Mapping, located};
use super::report::Report;
use super::scalar::{Look, Wrong, cut, segment};
use super::shared::Shared;
use super::tree::{Entry, Node, Value};
use super::value::inner;
use super::{mode, paths, ports};
use crate::spec::limits::default;
use crate::spec::{Listen, Socket};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The sockets, in the order of the file, which is the order of the
/// descriptors.
pub(super) fn read(fields: &Mapping<'_>, shared: &Shared<'_>, report: &mut Report) -> Vec<Socket> {
    let Some(entry) = fields.wanted("sockets", report) else { return Vec::new() };
    let Value::Mapping(entries) = &entry.value.value else {
        let wrong = Wrong::found(&entry.value, "write a map, as http: 127.0.0.1:8080");
        report.fault(entry.value.at, located(&fields.field("sockets"), wrong));
        return Vec::new();
    };
    entries
        .iter()
        .filter(|entry| !entry.value.is_null())
        .filter_map(|entry| one(fields, entry, shared, report))
        .collect()
}

/// Where a socket listens, before it is known whether it is TCP or UDP.
enum Place {
    Address(SocketAddr),
    Path(String),
}

fn one(fields: &Mapping<'_>, entry: &Entry, shared: &Shared<'_>, report: &mut Report) -> Option<Socket> {
    let field = format!("sockets.{}", segment(&entry.key));
    let name = entry.key.clone();
    if !matches!(entry.value.value, Value::Mapping(_)) {
        return match place(&entry.value, shared) {
            Ok(Place::Address(address)) => {
                Some(Socket { name, listen: Listen::Tcp(address), backlog: default::BACKLOG })
            }
            Ok(Place::Path(path)) => {
                let listen = Listen::Unix { path, mode: default::SOCKET_MODE };
                Some(Socket { name, listen, backlog: default::BACKLOG })
            }
            Err(wrong) => {
                inner(fields, &field, entry.value.at, wrong, report);
                None
            }
        };
    }
    let map = Mapping::open(&SOCKET, &entry.value, fields.field(&field), entry.key_at, report)?;
    let place = map.read("listen", report, |node| place(node, shared));
    let (bits, udp) = (map.read("mode", report, mode::read), map.flag("udp", report).unwrap_or_default());
    let backlog = map.integer("backlog", report).unwrap_or(default::BACKLOG);
    let mut beside = |other: &str, kind: &str| {
        if let Some(entry) = map.entry(other) {
            report.fault(
                entry.key_at,
                located(&map.field(other), Wrong::new(format!("it goes with {kind} only"), "leave it out")),
            );
        }
    };
    let listen = match place? {
        Place::Address(address) => {
            beside("mode", "a Unix socket");
            if udp { Listen::Udp(address) } else { Listen::Tcp(address) }
        }
        Place::Path(path) => {
            if udp {
                beside("udp", "an address and a port");
            }
            Listen::Unix { path, mode: bits.unwrap_or(default::SOCKET_MODE) }
        }
    };
    Some(Socket { name, listen, backlog })
}

fn place(node: &Node, shared: &Shared<'_>) -> Result<Place, Wrong> {
    const FORM: &str = "write an address and a port as 127.0.0.1:8080, a port, or unix:/run/NAME.sock";
    // Loopback: nothing is open to others unless it says so.
    let local = |port| Place::Address(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let Value::Scalar(scalar) = &node.value else { return Err(Wrong::found(node, FORM)) };
    let text = scalar.text.as_str();
    match scalar.look() {
        Look::Number => return ports::number(node).map(local),
        Look::Null | Look::Flag(_) => return Err(Wrong::found(node, FORM)),
        Look::Text => {}
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return paths::absolute(shared.base_dir, path).map(Place::Path);
    }
    if text.starts_with('/') {
        return Ok(Place::Path(text.to_owned()));
    }
    if let Some(port) = text.parse().ok().filter(|port| *port != 0) {
        return Ok(local(port));
    }
    text.parse().map(Place::Address).map_err(|_| {
        let fix = match text.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() && host == "localhost" => {
                format!("write 127.0.0.1:{port}")
            }
            Some(("" | "*", port)) if port.parse::<u16>().is_ok() => {
                format!("write 127.0.0.1:{port}, or 0.0.0.0:{port} for every address")
            }
            Some((host, port)) if port.parse::<u16>().is_ok() => {
                format!("write the address of {} instead of its name", cut(host))
            }
            Some(_) | None => FORM.to_owned(),
        };
        Wrong::new(format!("{:?} is no address", cut(text)), fix)
    })
}
