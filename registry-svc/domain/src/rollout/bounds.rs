//! The policy of a spec as numbers, for as many instances as there are.

use crate::placement;
use process_model::ProcessSpec;
use process_model::spec::UpdatePolicy;
use std::time::Duration;

/// What a rollout keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Most instances that do not serve because of it.
    pub(super) unavailable: u32,
    /// Most instances beyond the number.
    pub(super) surge: u32,
    /// So many go first, and wait for a word; 0: none.
    pub(super) canary: u32,
    /// An instance counts once it has served for so long.
    pub(super) min_ready: Duration,
    /// Whether instances are waited for at all.
    pub(super) gated: bool,
}

impl Bounds {
    /// Of a process with so many instances that should run.
    pub(super) fn of(spec: &ProcessSpec, running: u32) -> Self {
        let default = UpdatePolicy::default();
        let policy = spec.update.as_deref().unwrap_or(&default);
        let surge = if may_surge(spec) { policy.max_surge.of(running) } else { 0 };
        let unavailable = policy.max_unavailable.of(running);
        Self {
            // With neither there would be no way.
            unavailable: if surge == 0 { unavailable.max(1) } else { unavailable },
            surge,
            // As many as all are no test.
            canary: if policy.canary < running { policy.canary } else { 0 },
            min_ready: policy.min_ready,
            // What runs by a schedule is at rest most of the time.
            gated: spec.schedule.is_none(),
        }
    }
}

/// A second copy of a singleton is what must not be; a daemon has its node.
pub(super) fn may_surge(spec: &ProcessSpec) -> bool {
    spec.singleton.is_none() && !placement::of(spec).daemon && spec.schedule.is_none()
}
