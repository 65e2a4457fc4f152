//! The edge between the wire and the model: wire → model is `TryFrom` and
//! returns every fault with its field; model → wire is `From` and cannot fail.

mod action;
mod assignment;
mod audit;
mod elsewhere;
mod event;
mod instance;
mod report;
mod rollout;
mod run;
mod sample;
mod spec;
mod time;

pub use spec::{spec_from_wire, spec_to_wire};
pub use time::{duration_from_wire, duration_to_wire, timestamp_from_wire, timestamp_to_wire};

/// A message that breaks the contract: which field, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct WireFault {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl WireFault {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }

    pub(crate) fn missing(field: &'static str) -> Self {
        Self::new(field, "is missing")
    }
}

impl From<WireFault> for tonic::Status {
    fn from(fault: WireFault) -> Self {
        let fault = process_model::spec::Fault::new(fault.field, fault.problem, "send what the contract asks for");
        crate::error::invalid(&[fault])
    }
}
