//! Who leads and how safely, as metrics, taken when somebody asks.
//!
//! Enters: where this replica stands and, if it leads, when the others last acknowledged something. Leaves: gauges. A
//! replica that does not lead shows no `pm_registry_voters_heard`: it does not know.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use registry_consensus::{Consensus, Reached, ReplicaId, Standing};
use service_host::metrics::Metrics;
use std::fmt;
use std::time::Duration;

/// A voter that acknowledged nothing for so long is not counted as heard: many times the interval of the leader's
/// messages, so that one that is late counts.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// Registers `pm_registry_leader`, `_leader_known`, `_term`, `_voters` and `_voters_heard`.
pub(crate) fn register(metrics: &Metrics, consensus: Consensus) {
    metrics.register_collector(StandingNumbers(consensus));
}

struct StandingNumbers(Consensus);

impl fmt::Debug for StandingNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StandingNumbers")
    }
}

impl Collector for StandingNumbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let standing = self.0.standing().borrow().clone();
        for (name, help, value) in gauges(&standing, &self.0.reached()) {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

fn gauges(standing: &Standing, reached: &Reached) -> Vec<(&'static str, &'static str, i64)> {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let voters = standing.members.voters.target();
    let mut gauges = vec![
        ("pm_registry_leader", "1 on the replica that leads, else 0", i64::from(standing.leads())),
        (
            "pm_registry_leader_known",
            "Whether this replica knows a leader (1) or not (0)",
            i64::from(standing.leader.is_some()),
        ),
        ("pm_registry_term", "Term of this replica's vote", i64::try_from(standing.term).unwrap_or(i64::MAX)),
        ("pm_registry_voters", "Replicas that vote", count(voters.len())),
    ];
    if standing.leads() {
        let recent = |id: &ReplicaId| reached.silent.get(id).is_some_and(|since| *since <= HEARD_WITHIN);
        let heard = voters.iter().filter(|id| **id == standing.me || recent(id)).count();
        let help = "Voters that acknowledged something in the last 5 seconds, the leader included";
        gauges.push(("pm_registry_voters_heard", help, count(heard)));
    }
    gauges
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry_consensus::{Members, Role, Voters};

    fn value(gauges: &[(&str, &str, i64)], name: &str) -> Option<i64> {
        gauges.iter().find(|gauge| gauge.0 == name).map(|gauge| gauge.2)
    }

    #[test]
    fn a_leader_counts_the_voters_that_it_heard_and_a_follower_counts_nobody() {
        let ids = [1, 2, 3].map(ReplicaId);
        let members = Members { voters: Voters::of(ids), ..Members::default() };
        let mut standing =
            Standing { me: ids[0], role: Role::Leader, term: 4, leader: Some(ids[0]), members, ..Standing::default() };
        let silent = [(ids[1], Duration::from_millis(40)), (ids[2], Duration::from_secs(6))];
        let reached = Reached { silent: silent.into_iter().collect(), ..Reached::default() };
        let leads = gauges(&standing, &reached);
        assert_eq!(value(&leads, "pm_registry_leader"), Some(1));
        assert_eq!(value(&leads, "pm_registry_term"), Some(4));
        assert_eq!(value(&leads, "pm_registry_voters"), Some(3));
        assert_eq!(value(&leads, "pm_registry_voters_heard"), Some(2), "itself and the second");

        standing.role = Role::Follower;
        standing.leader = None;
        let follows = gauges(&standing, &reached);
        assert_eq!(value(&follows, "pm_registry_leader"), Some(0));
        assert_eq!(value(&follows, "pm_registry_leader_known"), Some(0));
        assert_eq!(value(&follows, "pm_registry_voters_heard"), None);
    }
}
