//! The edge: wire types stop here. One file per service.

mod intake;
mod intake_messages;
mod logs;
mod samples;

pub(crate) use intake::IntakeApi;
pub(crate) use logs::LogsApi;
pub(crate) use samples::SamplesApi;

use monitor_domain::tails::Output;
use pm_proto::error::{invalid, reason, status};
use pm_proto::v1;
use process_model::Selector;
use process_model::spec::Fault;
use tonic::{Code, Status};

/// INVALID_ARGUMENT for one field.
fn fault(field: &str, problem: impl Into<String>, fix: &str) -> Status {
    invalid(&[Fault::new(field, problem, fix)])
}

/// UNAVAILABLE because the monitor stops. Whoever gets it may try again.
fn stopping() -> Status {
    status(Code::Unavailable, reason::SHUTTING_DOWN, "the monitor is stopping", &[])
}

fn selectors(texts: &[String]) -> Result<Vec<Selector>, Status> {
    if texts.iter().any(String::is_empty) {
        return Err(fault("selectors", "one is empty", "write a process, an instance or a pattern, as web-*"));
    }
    Ok(texts.iter().map(Selector::new).collect())
}

/// An output on the wire.
pub(crate) fn stream_to_wire(output: Output) -> v1::LogStream {
    match output {
        Output::Stdout => v1::LogStream::Stdout,
        Output::Stderr => v1::LogStream::Stderr,
    }
}

/// An output from the wire; `None` when it is not given.
fn stream_from_wire(field: &str, number: i32) -> Result<Option<Output>, Status> {
    match v1::LogStream::try_from(number) {
        Ok(v1::LogStream::Unspecified) => Ok(None),
        Ok(v1::LogStream::Stdout) => Ok(Some(Output::Stdout)),
        Ok(v1::LogStream::Stderr) => Ok(Some(Output::Stderr)),
        Err(_) => Err(fault(field, format!("{number} is no log stream"), "use a value of LogStream")),
    }
}
