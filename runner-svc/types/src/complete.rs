//! What a type says about readiness for a process that says nothing.

use crate::definition::{DefaultProbe, Definition};
use crate::subject;
use process_model::ProcessSpec;
use process_model::spec::{Check, HttpCheck, Probe};

impl Definition {
    /// The probe of a process of this type that names none; `None` without a
    /// port to probe.
    pub(crate) fn probe(&self, spec: &ProcessSpec) -> Option<Probe> {
        let probe = self.probe.as_ref()?;
        // A process that names ports of which none is the application's is not probed at a port that it may not use.
        let port = if spec.ports.is_empty() { self.port } else { subject::port(spec) }?;
        Some(Probe::new(match probe {
            DefaultProbe::Tcp => Check::Tcp { port },
            DefaultProbe::Http(path) => Check::Http(HttpCheck::get(port, path.clone())),
        }))
    }
}
