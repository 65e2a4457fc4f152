//! Probes for readiness and liveness, and the program's own watchdog.

use super::command::check_command;
use super::faults::Faults;
use crate::spec::{Check, HttpCheck, Probe, ProcessSpec, limits};

pub(super) fn check(spec: &ProcessSpec, faults: &mut Faults) {
    if let Some(probe) = &spec.readiness {
        check_probe("readiness", probe, faults);
    }
    if let Some(probe) = &spec.liveness {
        check_probe("liveness", probe, faults);
        // Both happen once in a run; a sign of life has to come again.
        let once = match &probe.check {
            Check::Notify => Some("notify"),
            Check::Log { .. } => Some("log"),
            Check::Http(_) | Check::Tcp { .. } | Check::Exec { .. } | Check::Grpc { .. } => None,
        };
        if let Some(kind) = once {
            faults.add(
                format!("liveness.{kind}"),
                "it says that a program is ready, not that it is alive",
                "write it as readiness; for signs of life write watchdog or log_watchdog",
            );
        }
    }
    if let Some(watchdog) = spec.notify_watchdog {
        faults.duration("watchdog", watchdog, &limits::NOTIFY_WATCHDOG);
    }
}

fn check_probe(name: &str, probe: &Probe, faults: &mut Faults) {
    faults.duration(format!("{name}.initial_delay"), probe.initial_delay, &limits::PROBE_INITIAL_DELAY);
    faults.duration(format!("{name}.interval"), probe.interval, &limits::PROBE_INTERVAL);
    faults.duration(format!("{name}.timeout"), probe.timeout, &limits::PROBE_TIMEOUT);
    faults.number(format!("{name}.failure_threshold"), probe.failure_threshold, &limits::PROBE_FAILURES);
    faults.number(format!("{name}.success_threshold"), probe.success_threshold, &limits::PROBE_SUCCESSES);
    match &probe.check {
        Check::Http(http) => check_http(&format!("{name}.http"), http, faults),
        Check::Tcp { port } => faults.port(format!("{name}.tcp.port"), *port),
        Check::Exec { command } => check_command(&format!("{name}.exec.command"), command, faults),
        Check::Grpc { port, service } => {
            faults.port(format!("{name}.grpc.port"), *port);
            // A full name of protobuf: identifiers and points.
            let odd = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.' && c != '-' && c != '/';
            if service.len() > 255 || service.contains(odd) {
                let fix = "write a full name, as shop.v1.OrderService, or leave it out";
                faults.add(format!("{name}.grpc.service"), "it is no name of a gRPC service", fix);
            }
        }
        Check::Notify => {}
        Check::Log { pattern } => faults.pattern(format!("{name}.log"), pattern),
    }
}

fn check_http(field: &str, http: &HttpCheck, faults: &mut Faults) {
    let HttpCheck { port, path, method, headers, status, body } = http;
    faults.port(format!("{field}.port"), *port);
    if !path.starts_with('/') || path.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let problem = format!("{path:?} is no absolute path of a URL");
        faults.add(format!("{field}.path"), problem, "begin with / and leave out spaces");
    } else {
        faults.text(&format!("{field}.path"), path);
    }
    if let Some(method) = method
        && (method.is_empty() || method.len() > 32 || !method.bytes().all(|b| b.is_ascii_uppercase()))
    {
        faults.add(format!("{field}.method"), format!("{method:?} is no method"), "write one in capitals, as HEAD");
    }
    check_headers(&format!("{field}.headers"), headers, faults);
    faults.count(&format!("{field}.status"), status.len(), limits::LIST);
    for (index, (from, to)) in status.iter().enumerate() {
        let field = format!("{field}.status[{index}]");
        if !(100..=599).contains(from) || !(100..=599).contains(to) {
            faults.add(field, format!("{} is out of range", range(*from, *to)), "write 100 to 599");
        } else if from > to {
            faults.add(field, format!("{} ends before it begins", range(*from, *to)), "write the lower code first");
        }
    }
    if let Some(body) = body {
        faults.pattern(format!("{field}.body"), body);
    }
}

fn range(from: u16, to: u16) -> String {
    if from == to { from.to_string() } else { format!("{from}-{to}") }
}

/// Names are tokens and values visible ASCII (RFC 9110, 5.1 and 5.5). A value
/// may be a secret and is not shown.
fn check_headers(field: &str, headers: &[(String, String)], faults: &mut Faults) {
    faults.count(field, headers.len(), limits::LIST);
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    for (name, value) in headers {
        let field = format!("{field}.{name}");
        if name.is_empty() || name.len() > 256 || !name.bytes().all(token) {
            faults.add(&field, "it is no name of a header", "use letters, digits and -");
        }
        let ends = value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']);
        if ends || value.len() > 8192 || !value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
            faults.add(&field, "its value cannot be sent", "write visible ASCII characters, at most 8192");
        }
    }
}
