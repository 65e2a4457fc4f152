//! `ports`: by name, or a list whose ports get names.

use super::mapping::Mapping;
use super::report::Report;
use super::scalar::{self, Wrong, segment};
use super::tree::{Node, Value};
use super::value::{inner, name};
use crate::ProcessName;
use crate::spec::limits;
use std::collections::BTreeMap;

/// The ports by name; those of a list are `port`, `port-2`, `port-3` ….
pub(super) fn read(fields: &Mapping<'_>, report: &mut Report) -> BTreeMap<String, u16> {
    let mut ports = BTreeMap::new();
    let Some(entry) = fields.wanted("ports", report) else { return ports };
    match &entry.value.value {
        Value::Mapping(entries) => {
            for entry in entries.iter().filter(|entry| !entry.value.is_null()) {
                let field = format!("ports.{}", segment(&entry.key));
                // Same rule as for processes: it gets into places where others would mean something.
                if let Err(wrong) = name::<ProcessName>(&entry.key) {
                    inner(fields, &field, entry.key_at, wrong, report);
                }
                match number(&entry.value) {
                    Ok(port) => {
                        ports.insert(entry.key.clone(), port);
                    }
                    Err(wrong) => inner(fields, &field, entry.value.at, wrong, report),
                }
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                match number(item) {
                    Ok(port) => {
                        let name = if index == 0 { "port".to_owned() } else { format!("port-{}", index + 1) };
                        ports.insert(name, port);
                    }
                    Err(wrong) => inner(fields, &format!("ports[{index}]"), item.at, wrong, report),
                }
            }
        }
        Value::Scalar(_) => {
            let wrong = Wrong::found(&entry.value, "write a map, as http: 8080, or a list of ports");
            inner(fields, "ports", entry.value.at, wrong, report);
        }
    }
    ports
}

/// A port number.
pub(super) fn number(node: &Node) -> Result<u16, Wrong> {
    let port = scalar::integer(node, &limits::PORT)?;
    u16::try_from(port).map_err(|_| Wrong::new(format!("{port} is out of range"), "write 1 to 65535"))
}
