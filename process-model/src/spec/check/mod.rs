//! Every rule of a spec that the types alone do not keep, by topic.
//!
//! A spec enters, all its faults leave. Field names are those of the document
//! form, relative to the process.

mod command;
mod execution;
mod faults;
mod hooks;
mod logs;
mod order;
mod placement;
mod probe;
mod resources;
mod restart;
mod sockets;
mod stop;
#[cfg(test)]
mod tests;

use super::{Fault, ProcessSpec, limits};
use faults::Faults;

impl ProcessSpec {
    /// Every rule that the types alone do not keep. Returns all faults; none
    /// means that the spec is valid. Field names are those of the document
    /// form, relative to the process.
    #[must_use]
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::default();
        command::check(self, &mut faults);
        command::check_environment(&self.env, &mut faults);
        faults.number("instances", self.instances, &limits::INSTANCES);
        for (name, port) in &self.ports {
            faults.port(format!("ports.{name}"), *port);
        }
        if let Some(execution) = &self.execution {
            execution::check(execution, &mut faults);
        }
        restart::check(self, &mut faults);
        stop::check(&self.stop, &mut faults);
        hooks::check(self.hooks.as_deref(), &mut faults);
        probe::check(self, &mut faults);
        logs::check(self, &mut faults);
        sockets::check(self, &mut faults);
        if let Some(limits) = &self.limits {
            resources::check(limits, &mut faults);
        }
        order::check(self, &mut faults);
        placement::check(self, &mut faults);
        faults.into_list()
    }
}
