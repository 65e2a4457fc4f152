//! How often nodes show that they live, and after which silence they are lost:
//! both grow with their number, so that a leader is never asked for more
//! heartbeats than it was measured for.
//!
//! ```text
//! interval(n) = max(interval, n / heartbeats per second), at most 60 s
//! lease(n)    = lease × interval(n) / interval                as many heartbeats may be missed as ever
//! ```

use std::time::Duration;

/// No runner is asked to be silent for longer, however many there are.
const LONGEST: Duration = Duration::from_secs(60);

/// What nodes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Between two heartbeats.
    pub(crate) interval: Duration,
    /// Silence after which a node counts as lost.
    pub(crate) lease: Duration,
}

/// From how many nodes there are to what they are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pacing {
    /// Of few nodes.
    pub(crate) least: Pace,
    /// Heartbeats in a second, of all nodes together.
    pub(crate) per_second: u32,
}

impl Pacing {
    /// What this many nodes are told. In steps of a tenth of a second's worth of nodes: one that comes or goes changes
    /// nothing for the others, as a rule.
    pub(crate) fn of(&self, nodes: usize) -> Pace {
        let per_second = u64::from(self.per_second.max(1));
        let step = per_second.div_ceil(10);
        let nodes = (nodes as u64).div_ceil(step).saturating_mul(step);
        let needed = Duration::from_millis(nodes.saturating_mul(1_000) / per_second).min(LONGEST);
        if needed <= self.least.interval {
            return self.least;
        }
        let longer = needed.as_secs_f64() / self.least.interval.as_secs_f64().max(0.001);
        Pace { interval: needed, lease: self.least.lease.mul_f64(longer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEAST: Pace = Pace { interval: Duration::from_secs(1), lease: Duration::from_secs(5) };

    fn of(nodes: usize) -> Pace {
        Pacing { least: LEAST, per_second: 5_000 }.of(nodes)
    }

    #[test]
    fn few_nodes_keep_what_was_asked_for_and_many_are_heard_less_often() {
        assert_eq!((of(0), of(3), of(5_000)), (LEAST, LEAST, LEAST));
        assert_eq!(of(20_000), Pace { interval: Duration::from_secs(4), lease: Duration::from_secs(20) });
        assert_eq!(of(usize::MAX).interval, LONGEST);
    }

    #[test]
    fn one_node_more_changes_nothing_for_the_others_as_a_rule() {
        let changes = (10_000..20_000).filter(|n| of(*n) != of(n + 1)).count();
        assert_eq!(changes, 20, "one for every 500 nodes");
    }

    proptest! {
        #[test]
        fn no_number_of_nodes_beats_more_often_than_a_leader_was_measured_for(nodes in 0_usize..250_000) {
            let pace = of(nodes);
            prop_assert!(nodes as f64 / pace.interval.as_secs_f64() <= 5_000.0 + 1.0);
            let missed = pace.lease.as_secs_f64() / pace.interval.as_secs_f64();
            prop_assert!((missed - 5.0).abs() < 0.01, "as many may be missed as ever: {missed}");
        }
    }
}
