//! Output: its files, their policy, the watchdog on them, rules for lines.

use super::faults::Faults;
use crate::name;
use crate::spec::{LogPolicy, LogRule, ProcessSpec, limits, pattern};
use crate::words;
use std::collections::BTreeSet;

pub(super) fn check(spec: &ProcessSpec, faults: &mut Faults) {
    if let Some(file) = &spec.log_file {
        faults.path("log_file", file);
        if spec.instances > 1 {
            let problem = format!("{} instances would write to one file", spec.instances);
            faults.add("log_file", problem, "leave it out, or write instances: 1");
        }
    }
    if let Some(watchdog) = &spec.log_watchdog {
        if let Some(file) = &watchdog.log_file {
            faults.path("log_watchdog.log_file", file);
        }
        faults.duration("log_watchdog.timeout", watchdog.timeout, &limits::WATCHDOG_TIMEOUT);
        faults.duration("log_watchdog.interval", watchdog.interval, &limits::WATCHDOG_INTERVAL);
    }
    if let Some(policy) = &spec.logs {
        check_policy(policy, faults);
    }
    check_rules(&spec.log_rules, faults);
}

fn check_policy(policy: &LogPolicy, faults: &mut Faults) {
    faults.size("logs.max_size", policy.max_size, &limits::LOG_MAX_SIZE);
    faults.number("logs.max_files", policy.max_files, &limits::LOG_MAX_FILES);
    if let Some(age) = policy.max_age {
        faults.duration("logs.max_age", age, &limits::LOG_AGE);
    }
    if let Some(retention) = policy.retention {
        faults.duration("logs.retention", retention, &limits::LOG_AGE);
    }
    if let Some(quota) = policy.quota {
        faults.size("logs.quota", quota, &limits::LOG_QUOTA);
        // The file that is written to is not one of those that go.
        if quota < policy.max_size {
            let problem = format!(
                "{} is less than the max_size of one file, {}",
                words::size(quota),
                words::size(policy.max_size)
            );
            faults.add("logs.quota", problem, "write at least max_size, or a smaller max_size");
        }
    }
}

fn check_rules(rules: &[LogRule], faults: &mut Faults) {
    faults.count("log_rules", rules.len(), limits::LIST);
    let mut seen = BTreeSet::new();
    for (index, rule) in rules.iter().enumerate() {
        let field = format!("log_rules[{index}]");
        if let Err(error) = name::check(&rule.name) {
            let fix = "use 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit";
            faults.add(format!("{field}.name"), format!("{:?} is no valid name: {}", error.value, error.fault), fix);
        } else if !seen.insert(&rule.name) {
            faults.twice(format!("{field}.name"), format!("{:?}", rule.name));
        }
        faults.pattern(format!("{field}.pattern"), &rule.pattern);
        faults.duration(format!("{field}.cooldown"), rule.cooldown, &limits::LOG_COOLDOWN);
    }
    // What is wrong with one of them is said already.
    let known = faults.is_faulty("log_rules");
    if rules.len() > 1
        && !known
        && let Err(problem) = pattern::compile_set(rules.iter().map(|rule| rule.pattern.as_str()))
    {
        faults.add("log_rules", problem, "write fewer or shorter patterns");
    }
}
