//! `readiness` and `liveness`: exactly one check and its times. A port may be
//! given by its name in `ports`.

use super::mapping::Mapping;
use super::report::Report;
use super::scalar::{self, Look, Wrong, cut};
use super::tree::{Entry, Node, Value};
use super::value::list;
use super::{command, ports};
use crate::spec::{Check, Fault, HttpCheck, Probe};
use std::collections::BTreeMap;

type Ports = BTreeMap<String, u16>;

/// The probe of this name, if one is asked for and right.
pub(super) fn read(fields: &Mapping<'_>, name: &str, ports: &Ports, report: &mut Report) -> Option<Probe> {
    let map = fields.group(name, report)?;
    let check = check(&map, ports, report);
    // A stand-in where the check has a fault: the times are read in any case.
    let default = Probe::new(check.unwrap_or(Check::Tcp { port: 1 }));
    if matches!(default.check, Check::Notify | Check::Log { .. }) {
        for time in ["initial_delay", "interval", "timeout", "failure_threshold", "success_threshold"] {
            if let Some(entry) = map.entry(time) {
                let problem = "it has no meaning where the program itself says that it is ready";
                report.warn(entry.key_at, Fault::new(map.field(time), problem, "leave it out"));
            }
        }
    }
    Some(Probe {
        initial_delay: map.duration("initial_delay", report).unwrap_or(default.initial_delay),
        interval: map.duration("interval", report).unwrap_or(default.interval),
        timeout: map.duration("timeout", report).unwrap_or(default.timeout),
        failure_threshold: map.integer("failure_threshold", report).unwrap_or(default.failure_threshold),
        success_threshold: map.integer("success_threshold", report).unwrap_or(default.success_threshold),
        check: default.check,
    })
}

fn check(map: &Mapping<'_>, ports: &Ports, report: &mut Report) -> Option<Check> {
    let kinds = map.choice();
    let mut given: Vec<&Entry> = kinds.iter().filter_map(|kind| map.entry(kind)).collect();
    // Each is read, so that what is wrong inside is said too.
    let mut checks: Vec<Option<Check>> =
        kinds.iter().filter(|kind| map.entry(kind).is_some()).map(|kind| one(map, kind, ports, report)).collect();
    match (given.len(), given.first().map(|first| first.key.clone()), given.pop()) {
        (1, _, _) => checks.pop().flatten(),
        (_, Some(first), Some(last)) => {
            let fault = Fault::new(map.field(&last.key), format!("it is given beside {first}"), "keep one of the two");
            report.fault(last.key_at, fault);
            None
        }
        _ => {
            // An unknown field was meant to be one; one mistake is one fault.
            if !report.is_faulty(&map.path) {
                let others = kinds.get(1..).unwrap_or_default().join(", ");
                let fix = format!("write http: {{port: 8080, path: /health}}, or one of {others}");
                report.fault(map.at, Fault::new(map.path.clone(), "it has no check", fix));
            }
            None
        }
    }
}

fn one(map: &Mapping<'_>, kind: &str, ports: &Ports, report: &mut Report) -> Option<Check> {
    match kind {
        "http" => http(&map.group("http", report)?, ports, report).map(Check::Http),
        "tcp" => port(&map.group("tcp", report)?, ports, report).map(|port| Check::Tcp { port }),
        "exec" => command::bare_or_group(map, "exec", report).map(|command| Check::Exec { command }),
        "grpc" => {
            let grpc = map.group("grpc", report)?;
            let service = grpc.text("service", report).unwrap_or_default().to_owned();
            port(&grpc, ports, report).map(|port| Check::Grpc { port, service })
        }
        "notify" => map.read("notify", report, yes).map(|()| Check::Notify),
        _ => map.text("log", report).map(|pattern| Check::Log { pattern: pattern.to_owned() }),
    }
}

fn http(map: &Mapping<'_>, ports: &Ports, report: &mut Report) -> Option<HttpCheck> {
    let port = port(map, ports, report);
    let path = map.text("path", report).unwrap_or("/").to_owned();
    let method = map.text("method", report).map(str::to_owned);
    let headers = map.text_map("headers", report).into_iter().collect();
    let status = list(map, "status", report, status);
    let body = map.text("body", report).map(str::to_owned);
    // Written out, it is the same as left out.
    let method = method.filter(|method| method != "GET");
    Some(HttpCheck { port: port?, path, method, headers, status, body })
}

fn yes(node: &Node) -> Result<(), Wrong> {
    match scalar::flag(node) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Wrong::found(node, "write true, or leave it out")),
    }
}

/// A status code, or a range of them as `200-299`.
fn status(node: &Node) -> Result<(u16, u16), Wrong> {
    let range = match &node.value {
        Value::Scalar(scalar) if scalar.look() == Look::Text => scalar.text.split_once('-'),
        Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => None,
    };
    let Some((from, to)) = range else {
        let code = scalar::integer(node, &(100..=599)).map(|code| u16::try_from(code).unwrap_or_default());
        return code.map(|code| (code, code));
    };
    let number = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => Ok((from, to)),
        _ => Err(Wrong::found(node, "write status codes of 100 to 599, and ranges as \"200-299\"")),
    }
}

fn port(map: &Mapping<'_>, named: &Ports, report: &mut Report) -> Option<u16> {
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
