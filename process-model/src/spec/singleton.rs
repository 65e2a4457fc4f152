//! At most one copy, whatever becomes of the network.

use super::ProcessSpec;
use super::limits::default;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An instance of which there is never a second copy: its node ends it when it
/// has not heard from the registry for `lease`, and only then does the
/// registry start it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Singleton {
    /// Silence after which its node ends it.
    pub lease: Duration,
}

impl Default for Singleton {
    fn default() -> Self {
        Self { lease: default::SINGLETON_LEASE }
    }
}

impl ProcessSpec {
    /// The longest time from the begin of a stop until nothing is left.
    #[must_use]
    pub fn stop_bound(&self) -> Duration {
        let hook = self.hooks.as_ref().and_then(|hooks| hooks.pre_stop.as_ref()).map(|hook| hook.timeout);
        hook.unwrap_or_default() + self.stop.bound()
    }

    /// For how long its node has to have been silent before a copy elsewhere
    /// cannot be a second one: the lease, the stop that follows, and a tenth
    /// of the lease, at least a second, for clocks that do not run alike.
    /// `None`: it is no singleton.
    #[must_use]
    pub fn fence(&self) -> Option<Duration> {
        let lease = self.singleton.as_deref()?.lease;
        Some(lease + self.stop_bound() + (lease / 10).max(Duration::from_secs(1)))
    }
}

#[cfg(test)]
mod tests {
    use crate::ProcessSpec;
    use crate::spec::{Command, Hook, Hooks, Singleton, StopStep};
    use std::time::Duration;

    #[test]
    fn a_copy_elsewhere_waits_for_the_lease_the_stop_and_a_margin() {
        let seconds = Duration::from_secs;
        let mut spec = ProcessSpec::new("one".parse().unwrap(), Command::Shell("run".into()));
        assert_eq!(spec.fence(), None);
        spec.singleton = Some(Box::new(Singleton { lease: seconds(20) }));
        assert_eq!(spec.fence(), Some(seconds(20 + 5 + 2 + 2)));
        let hook = Hook { timeout: seconds(7), ..Hook::new(Command::Shell("bye".into())) };
        spec.hooks = Some(Box::new(Hooks { pre_stop: Some(hook.clone()), ..Hooks::default() }));
        spec.stop.steps = vec![StopStep::Wait(seconds(1)), StopStep::Hook(hook)];
        spec.singleton = Some(Box::new(Singleton { lease: seconds(5) }));
        assert_eq!(spec.fence(), Some(seconds(5 + 7 + 1 + 7 + 2 + 1)));
    }
}
