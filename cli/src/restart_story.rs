//! A restart policy in words, and the series of delays that it leads to: with
//! the same arithmetic as the runner's.

use crate::output::human;
use process_model::ProcessSpec;
use process_model::spec::{Backoff, RestartMode};
use serde_json::{Value, json};
use std::time::Duration;

/// Steps shown at most: a factor of 1.01 takes hundreds to its longest delay.
const STEPS: usize = 16;

/// One restart of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which restart in a row, from 1.
    pub number: u32,
    /// The delay without its random part.
    pub nominal: Duration,
    /// With it: the shortest and the longest.
    pub bounds: (Duration, Duration),
    /// Waited in all when it begins, without random parts.
    pub total: Duration,
}

/// The restarts of a program that ends at once, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The first ones, up to the first whose delay stays the same from then on.
    pub steps: Vec<Step>,
    /// What comes after the last step.
    pub then: Then,
}

/// What comes after the last step of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Every further one as the last.
    Same,
    /// More of them, growing.
    Growing,
    /// It is given up: failed.
    GivenUp,
}

/// The series of a policy; empty when nothing is ever restarted.
#[must_use]
pub fn series(spec: &ProcessSpec) -> Series {
    let policy = &spec.restart;
    if policy.mode == RestartMode::Never && policy.codes.always_restart.is_empty() {
        return Series { steps: Vec::new(), then: Then::GivenUp };
    }
    // A window that is longer than its restarts take gives up after as many.
    let most = match policy.max_restarts {
        0 => u32::MAX,
        most => most,
    };
    let (mut steps, mut total) = (Vec::new(), Duration::ZERO);
    for streak in 0..most {
        let nominal = policy.nominal_delay(streak);
        total = total.saturating_add(nominal);
        if policy.limit.is_some_and(|limit| streak >= limit.restarts && total <= limit.within) {
            return Series { steps, then: Then::GivenUp };
        }
        steps.push(Step { number: streak + 1, nominal, bounds: policy.backoff.bounds(streak), total });
        let settled = policy.nominal_delay(streak.saturating_add(1)) == nominal;
        let limited = policy.max_restarts > 0 || policy.limit.is_some();
        if settled && !limited {
            return Series { steps, then: Then::Same };
        }
        if steps.len() == STEPS {
            let then = if most as usize == STEPS {
                Then::GivenUp
            } else if settled {
                Then::Same
            } else {
                Then::Growing
            };
            return Series { steps, then };
        }
    }
    Series { steps, then: Then::GivenUp }
}

/// Which restart in a row has this delay: the first that may have it.
#[must_use]
pub fn step_of(backoff: &Backoff, delay: Duration) -> Option<u32> {
    // Reports are rounded on their way.
    let slack = Duration::from_millis(5);
    (0..1_000).find(|streak| {
        let (shortest, longest) = backoff.bounds(*streak);
        delay + slack >= shortest && delay <= longest + slack
    })
}

/// Seconds as people write them: `0.9s`, `12s`.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    let text = format!("{:.3}", duration.as_secs_f64());
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

fn codes(codes: &[u8]) -> String {
    codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The policy, a sentence each.
#[must_use]
pub fn sentences(spec: &ProcessSpec) -> Vec<String> {
    let policy = &spec.restart;
    let mut said = vec![match policy.mode {
        RestartMode::Always => "restarted however it ends; what is stopped by hand stays stopped".to_owned(),
        RestartMode::UnlessStopped => "restarted however it ends, unless it was stopped by hand".to_owned(),
        RestartMode::OnFailure => "restarted when it fails; an end with success is left at that".to_owned(),
        RestartMode::Never => "never restarted by itself".to_owned(),
    }];
    if !policy.codes.success.is_empty() {
        said.push(format!("success is exit code 0, {}", codes(&policy.codes.success)));
    }
    if !policy.codes.never_restart.is_empty() {
        said.push(format!("never restarted after exit code {}", codes(&policy.codes.never_restart)));
    }
    if !policy.codes.always_restart.is_empty() {
        said.push(format!("always restarted after exit code {}", codes(&policy.codes.always_restart)));
    }
    match policy.max_restarts {
        0 if policy.limit.is_none() => said.push("tried for ever: no number of restarts is too many".to_owned()),
        0 => {}
        most => said.push(format!(
            "given up (failed) when it ends once more after {} in a row",
            human::count(most as usize, "restart", "restarts")
        )),
    }
    if let Some(limit) = policy.limit {
        let restarts = human::count(limit.restarts as usize, "restart", "restarts");
        said.push(format!("given up (failed) on more than {restarts} within {}", human::duration(limit.within)));
    }
    if let Some(bytes) = policy.max_memory {
        said.push(format!("stopped and started again when its tree uses more than {}", human::bytes(bytes)));
    }
    if let Some(time) = policy.max_runtime {
        said.push(format!("stopped and started again when it has run for {}", human::duration(time)));
    }
    if spec.liveness.is_some() {
        said.push("restarted when its liveness probe fails".to_owned());
    }
    if let Some(time) = spec.notify_watchdog {
        said.push(format!("restarted when WATCHDOG=1 is missing for {}", human::duration(time)));
    }
    if let Some(watchdog) = &spec.log_watchdog {
        said.push(format!("restarted when its log is silent for {}", human::duration(watchdog.timeout)));
    }
    for rule in spec.log_rules.iter().filter(|rule| rule.action == process_model::spec::LogAction::Restart) {
        said.push(format!("restarted when a line has the pattern of its log rule {:?}", rule.name));
    }
    said
}

/// What begins the series anew.
#[must_use]
pub fn resets(spec: &ProcessSpec) -> Vec<String> {
    vec![
        format!("a run of {}", human::duration(spec.restart.reset_after)),
        "`pmctl start` and `pmctl restart`".to_owned(),
        "a change of what it runs".to_owned(),
    ]
}

impl Series {
    /// As JSON: the steps, and what comes then.
    #[must_use]
    pub fn value(&self) -> Value {
        let steps: Vec<Value> = (self.steps.iter())
            .map(|step| {
                json!({
                    "restart": step.number,
                    "nominal": seconds(step.nominal),
                    "shortest": seconds(step.bounds.0),
                    "longest": seconds(step.bounds.1),
                    "total": seconds(step.total),
                })
            })
            .collect();
        let then = match self.then {
            Then::Same => "same",
            Then::Growing => "growing",
            Then::GivenUp => "given-up",
        };
        json!({ "steps": steps, "then": then })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::spec::{Command, RestartLimit};

    fn spec() -> ProcessSpec {
        ProcessSpec::new("web".parse().unwrap(), Command::Shell("true".into()))
    }

    fn nominal(spec: &ProcessSpec) -> (Vec<u64>, Then) {
        let series = series(spec);
        (series.steps.iter().map(|step| step.nominal.as_secs()).collect(), series.then)
    }

    #[test]
    fn the_default_series_doubles_from_a_second_to_a_minute_and_stays_there() {
        assert_eq!(nominal(&spec()), (vec![1, 2, 4, 8, 16, 32, 60], Then::Same));
        let third = series(&spec()).steps[2].clone();
        assert_eq!(third.bounds, (Duration::from_millis(3600), Duration::from_millis(4400)));
        assert_eq!((third.number, third.total), (3, Duration::from_secs(7)));
    }

    #[test]
    fn a_limit_ends_the_series_where_the_runner_gives_up() {
        let mut few = spec();
        few.restart.max_restarts = 3;
        assert_eq!(nominal(&few), (vec![1, 2, 4], Then::GivenUp));
        let mut window = spec();
        window.restart.limit = Some(RestartLimit { restarts: 4, within: Duration::from_secs(60) });
        assert_eq!(nominal(&window), (vec![1, 2, 4, 8], Then::GivenUp));
        // Delays of a minute never are five within a minute.
        window.restart.backoff.initial = Duration::from_secs(60);
        assert_eq!(nominal(&window).1, Then::Same);
        let mut never = spec();
        never.restart.mode = RestartMode::Never;
        assert_eq!(nominal(&never), (vec![], Then::GivenUp));
        never.restart.codes.always_restart = vec![75];
        assert!(!series(&never).steps.is_empty());
    }

    #[test]
    fn a_delay_is_found_in_its_series() {
        let backoff = spec().restart.backoff;
        assert_eq!(step_of(&backoff, Duration::from_millis(950)), Some(0));
        assert_eq!(step_of(&backoff, Duration::from_millis(7900)), Some(3));
        assert_eq!(step_of(&backoff, Duration::from_secs(60)), Some(6));
        assert_eq!(step_of(&backoff, Duration::from_secs(600)), None);
    }

    #[test]
    fn the_policy_is_told_in_words() {
        let mut spec = spec();
        spec.restart.mode = RestartMode::OnFailure;
        spec.restart.codes.never_restart = vec![2, 3];
        spec.restart.max_restarts = 1;
        spec.restart.max_memory = Some(512 << 20);
        let said = sentences(&spec).join("\n");
        for words in ["when it fails", "never restarted after exit code 2, 3", "after 1 restart in a row", "512.0 MiB"]
        {
            assert!(said.contains(words), "{words:?} is not in\n{said}");
        }
        assert_eq!(
            (seconds(Duration::from_millis(900)), seconds(Duration::from_secs(60))),
            ("0.9s".into(), "60s".into())
        );
    }
}
