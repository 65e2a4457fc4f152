//! When each rule of each instance fired last, and what it has passed over
//! since. Kept between runs: a rule that restarts an instance would otherwise
//! do so again at the same line of the next start.

use process_model::InstanceId;
use process_model::spec::{LogRule, limits};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A rule that asks for no cooldown fires this often and no more: what it leads
/// to is written to disk.
const SHORTEST: Duration = Duration::from_millis(100);

/// Cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cooldowns(Arc<Mutex<BTreeMap<InstanceId, BTreeMap<String, Fired>>>>);

#[derive(Debug)]
struct Fired {
    at: Instant,
    suppressed: u64,
}

impl Cooldowns {
    /// A line has the pattern of `rule`. Returns how many were passed over
    /// before it, or nothing when it is passed over, too.
    pub(super) fn fire(&self, instance: &InstanceId, rule: &LogRule, now: Instant) -> Option<u64> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fired) = table.get_mut(instance).and_then(|rules| rules.get_mut(&rule.name)) {
            if now.saturating_duration_since(fired.at) < rule.cooldown.max(SHORTEST) {
                fired.suppressed = fired.suppressed.saturating_add(1);
                return None;
            }
            fired.at = now;
            return Some(std::mem::take(&mut fired.suppressed));
        }
        // Seldom enough to look at everything: instances and rules that are gone leave nothing behind.
        table.retain(|_, rules| {
            rules.retain(|_, fired| now.saturating_duration_since(fired.at) <= *limits::LOG_COOLDOWN.end());
            !rules.is_empty()
        });
        table.entry(instance.clone()).or_default().insert(rule.name.clone(), Fired { at: now, suppressed: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::spec::LogAction;

    #[test]
    fn what_is_passed_over_is_counted_and_told_with_the_next() {
        let (cooldowns, begun) = (Cooldowns::default(), Instant::now());
        let (web, api) = ("web-1".parse().unwrap(), "api-1".parse().unwrap());
        let rule = |cooldown| LogRule {
            name: "r".into(),
            pattern: String::new(),
            action: LogAction::Restart,
            cooldown: Duration::from_secs(cooldown),
        };
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(cooldowns.fire(&web, &rule(10), at(0)), Some(0));
        assert_eq!(cooldowns.fire(&web, &rule(10), at(1)), None);
        assert_eq!(cooldowns.fire(&web, &rule(10), at(9)), None);
        assert_eq!(cooldowns.fire(&api, &rule(10), at(9)), Some(0), "another instance");
        assert_eq!(cooldowns.fire(&web, &rule(10), at(10)), Some(2));
        assert_eq!(cooldowns.fire(&web, &rule(0), at(10)), None, "not even without a cooldown twice at once");
        assert_eq!(cooldowns.fire(&web, &rule(0), at(11)), Some(1));
        let later = LogRule { name: "later".into(), ..rule(0) };
        cooldowns.fire(&api, &later, at(3 * 24 * 3600));
        assert_eq!(cooldowns.0.lock().unwrap().len(), 1, "something was left behind");
    }
}
