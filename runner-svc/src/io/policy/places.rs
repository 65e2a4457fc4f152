//! Where the keeper may listen for programs. It does so with its own rights,
//! which are often all of them: whoever may only be some users may not have
//! what these could not have by themselves.

use super::Allowed;
use process_model::spec::Listen;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Ports that everybody may have (ip(7), `ip_unprivileged_port_start`).
const EVERYBODYS: RangeInclusive<u16> = 1024..=u16::MAX;

/// Paths of Unix sockets, and ports.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) paths: Vec<PathBuf>,
    ports: Vec<RangeInclusive<u16>>,
}

impl Places {
    /// Those of the rule `sockets`; without it what `users` leaves. `None`:
    /// all.
    pub(super) fn of_rules(written: Option<Vec<String>>, users: Option<&Allowed>) -> Result<Option<Self>, String> {
        let Some(written) = written else {
            let few = matches!(users, Some(Allowed::Numbers(_)));
            return Ok(few.then(|| Self { paths: Vec::new(), ports: vec![EVERYBODYS] }));
        };
        let mut places = Self { paths: Vec::new(), ports: Vec::new() };
        for text in written {
            match range(&text) {
                Some(ports) => places.ports.push(ports),
                None if text.starts_with('/') => places.paths.push(text.into()),
                None => {
                    return Err(format!(
                        "{text:?} is no absolute path, port or range of ports; write /run/apps, 80 or 8000-8999"
                    ));
                }
            }
        }
        Ok(Some(places))
    }

    /// Whether the port of an address may be had; a path is judged as a path.
    pub(super) fn has_port_of(&self, listen: &Listen) -> bool {
        match listen {
            Listen::Tcp(address) | Listen::Udp(address) => {
                // 0 is whichever is free, and of everybody's.
                let port = if address.port() == 0 { *EVERYBODYS.end() } else { address.port() };
                self.ports.iter().any(|ports| ports.contains(&port))
            }
            Listen::Unix { .. } => false,
        }
    }
}

/// `80` or `8000-8999`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let ports = first.trim().parse().ok()?..=last.trim().parse().ok()?;
    (!ports.is_empty()).then_some(ports)
}
