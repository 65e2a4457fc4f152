//! The services behind the gateway, by their place in the access table.

use crate::access::Upstream;
use crate::backend::{Backend, BackendError};
use crate::options::Options;

/// One of each.
#[derive(Debug, Clone)]
pub(crate) struct Backends {
    registry: Backend,
    monitor: Backend,
}

impl Backends {
    pub(crate) fn new(options: &Options) -> Result<Self, BackendError> {
        Ok(Self {
            registry: Backend::new("registry", &options.registry, &options.service_token)?,
            monitor: Backend::new("monitor", &options.monitor, &options.service_token)?,
        })
    }

    pub(crate) fn of(&self, upstream: Upstream) -> &Backend {
        match upstream {
            Upstream::Registry => &self.registry,
            Upstream::Monitor => &self.monitor,
        }
    }
}
