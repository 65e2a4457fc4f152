//! `readiness`: exactly one check and its times. A port may be given by its
//! name in `ports`.

use super::mapping::Mapping;
use super::ports;
use super::report::Report;
use super::scalar::{Look, Wrong, cut};
use super::tree::{Node, Value};
use crate::spec::{Check, Fault, Probe};
use std::collections::BTreeMap;

/// The probe, if one is asked for and right.
pub(super) fn read(fields: &Mapping<'_>, ports: &BTreeMap<String, u16>, report: &mut Report) -> Option<Probe> {
    let map = fields.group("readiness", report)?;
    let check = check(&map, ports, report);
    // A stand-in where the check has a fault: the times are read in any case.
    let default = Probe::new(check.unwrap_or(Check::Tcp { port: 1 }));
    Some(Probe {
        initial_delay: map.duration("initial_delay", report).unwrap_or(default.initial_delay),
        interval: map.duration("interval", report).unwrap_or(default.interval),
        timeout: map.duration("timeout", report).unwrap_or(default.timeout),
        failure_threshold: map.integer("failure_threshold", report).unwrap_or(default.failure_threshold),
        check: default.check,
    })
}

fn check(map: &Mapping<'_>, ports: &BTreeMap<String, u16>, report: &mut Report) -> Option<Check> {
    let http = map.group("http", report).map(|http| {
        let path = http.text("path", report).unwrap_or("/").to_owned();
        port(&http, ports, report).map(|port| Check::Http { port, path })
    });
    let tcp = map.group("tcp", report).map(|tcp| port(&tcp, ports, report).map(|port| Check::Tcp { port }));
    match (http, tcp, map.entry("http"), map.entry("tcp")) {
        (None, None, None, None) => {
            let fix = "write http: {port: 8080, path: /health}, or tcp: {port: 8080}";
            report.fault(map.at, Fault::new(map.path.clone(), "it has no check", fix));
            None
        }
        (_, _, Some(_), Some(second)) => {
            report.fault(second.key_at, Fault::new(map.field("tcp"), "it is given beside http", "keep one of the two"));
            None
        }
        (Some(check), None, _, _) | (None, Some(check), _, _) => check,
        // A check that is no map, reported on opening it. (Two maps are two entries.)
        (None, None, _, _) | (Some(_), Some(_), _, _) => None,
    }
}

fn port(map: &Mapping<'_>, named: &BTreeMap<String, u16>, report: &mut Report) -> Option<u16> {
    map.read("port", report, |node: &Node| match &node.value {
        Value::Scalar(scalar) if scalar.look() == Look::Text => named.get(&scalar.text).copied().ok_or_else(|| {
            let names: Vec<&str> = named.keys().map(String::as_str).collect();
            let fix = if names.is_empty() { String::new() } else { format!(", or one of {}", names.join(", ")) };
            let problem = format!("{:?} is no name in ports", cut(&scalar.text));
            Wrong::new(problem, format!("write a number from 1 to 65535{fix}"))
        }),
        Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => ports::number(node),
    })
}
