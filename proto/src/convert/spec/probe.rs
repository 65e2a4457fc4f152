//! Probes for readiness and liveness.

use super::hook::{command_from_wire, command_to_wire};
use super::reader::{Reader, non_empty};
use crate::convert::duration_to_wire;
use crate::v1::{self, probe::Check as Wire};
use process_model::spec::{Check, HttpCheck, Probe};

/// The probe of `field`, which is `readiness` or `liveness`.
pub(super) fn probe_from_wire(field: &str, wire: &v1::Probe, reader: &mut Reader) -> Option<Probe> {
    let check = match &wire.check {
        Some(Wire::Http(http)) => Check::Http(http_from_wire(&format!("{field}.http"), http, reader)),
        Some(Wire::Tcp(tcp)) => Check::Tcp { port: reader.port(format!("{field}.tcp.port"), tcp.port) },
        Some(Wire::Exec(exec)) => {
            Check::Exec { command: command_from_wire(&format!("{field}.exec.command"), exec.command.as_ref(), reader) }
        }
        Some(Wire::Grpc(grpc)) => {
            Check::Grpc { port: reader.port(format!("{field}.grpc.port"), grpc.port), service: grpc.service.clone() }
        }
        Some(Wire::Notify(v1::NotifyCheck {})) => Check::Notify,
        Some(Wire::Log(log)) => Check::Log { pattern: log.pattern.clone() },
        None => {
            reader.fault(field, "it says not what to check", "write http, tcp, exec, grpc, notify or log");
            return None;
        }
    };
    let mut probe = Probe::new(check);
    probe.initial_delay =
        reader.duration(format!("{field}.initial_delay"), wire.initial_delay.as_ref(), probe.initial_delay);
    probe.interval = reader.duration(format!("{field}.interval"), wire.interval.as_ref(), probe.interval);
    probe.timeout = reader.duration(format!("{field}.timeout"), wire.timeout.as_ref(), probe.timeout);
    if wire.failure_threshold != 0 {
        probe.failure_threshold = wire.failure_threshold;
    }
    if wire.success_threshold != 0 {
        probe.success_threshold = wire.success_threshold;
    }
    Some(probe)
}

fn http_from_wire(field: &str, wire: &v1::HttpCheck, reader: &mut Reader) -> HttpCheck {
    let mut code = |index: usize, end: &str, value: u32| {
        reader.narrow(format!("{field}.status[{index}].{end}"), value, "100 to 599", 200)
    };
    let status = wire.status.iter().enumerate();
    let status = status.map(|(index, range)| (code(index, "from", range.from), code(index, "to", range.to))).collect();
    HttpCheck {
        status,
        port: reader.port(format!("{field}.port"), wire.port),
        path: wire.path.clone(),
        method: non_empty(&wire.method),
        headers: wire.headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect(),
        body: non_empty(&wire.body),
    }
}

pub(super) fn probe_to_wire(probe: &Probe) -> v1::Probe {
    let check = match &probe.check {
        Check::Http(http) => Wire::Http(http_to_wire(http)),
        Check::Tcp { port } => Wire::Tcp(v1::TcpCheck { port: u32::from(*port) }),
        Check::Exec { command } => Wire::Exec(v1::ExecCheck { command: Some(command_to_wire(command)) }),
        Check::Grpc { port, service } => Wire::Grpc(v1::GrpcCheck { port: u32::from(*port), service: service.clone() }),
        Check::Notify => Wire::Notify(v1::NotifyCheck {}),
        Check::Log { pattern } => Wire::Log(v1::LogCheck { pattern: pattern.clone() }),
    };
    v1::Probe {
        check: Some(check),
        initial_delay: Some(duration_to_wire(probe.initial_delay)),
        interval: Some(duration_to_wire(probe.interval)),
        timeout: Some(duration_to_wire(probe.timeout)),
        failure_threshold: probe.failure_threshold,
        success_threshold: probe.success_threshold,
    }
}

fn http_to_wire(http: &HttpCheck) -> v1::HttpCheck {
    let header = |(name, value): &(String, String)| v1::HttpHeader { name: name.clone(), value: value.clone() };
    let range = |(from, to): &(u16, u16)| v1::StatusRange { from: u32::from(*from), to: u32::from(*to) };
    v1::HttpCheck {
        port: u32::from(http.port),
        path: http.path.clone(),
        method: http.method.clone().unwrap_or_default(),
        headers: http.headers.iter().map(header).collect(),
        status: http.status.iter().map(range).collect(),
        body: http.body.clone().unwrap_or_default(),
    }
}
