//! What becomes of output, and what its lines lead to.

use super::reader::Reader;
use crate::convert::duration_to_wire;
use crate::v1;
use process_model::spec::{Compression, LogAction, LogFormat, LogPolicy, LogRule, WhenFull, limits::default};

pub(super) fn policy_from_wire(wire: &v1::LogPolicy, reader: &mut Reader) -> LogPolicy {
    let absent = LogPolicy::default();
    LogPolicy {
        max_size: wire.max_size.unwrap_or(absent.max_size),
        max_age: reader.some_duration("logs.max_age", wire.max_age.as_ref()),
        max_files: wire.max_files.unwrap_or(absent.max_files),
        compress: match reader.known("logs.compress", wire.compress) {
            v1::Compression::None => Compression::None,
            v1::Compression::Gzip => Compression::Gzip,
            v1::Compression::Unspecified | v1::Compression::Zstd => Compression::Zstd,
        },
        retention: reader.some_duration("logs.retention", wire.retention.as_ref()),
        quota: wire.quota,
        format: match reader.known("logs.format", wire.format) {
            v1::LogFormat::Unspecified | v1::LogFormat::Raw => LogFormat::Raw,
            v1::LogFormat::Ecs => LogFormat::Ecs,
            v1::LogFormat::Otel => LogFormat::Otel,
        },
        merge: wire.merge,
        when_full: match reader.known("logs.when_full", wire.when_full) {
            v1::WhenFull::Unspecified | v1::WhenFull::Drop => WhenFull::Drop,
            v1::WhenFull::Block => WhenFull::Block,
        },
    }
}

pub(super) fn policy_to_wire(policy: &LogPolicy) -> v1::LogPolicy {
    let compress = match policy.compress {
        Compression::None => v1::Compression::None,
        Compression::Gzip => v1::Compression::Gzip,
        Compression::Zstd => v1::Compression::Zstd,
    };
    let format = match policy.format {
        LogFormat::Raw => v1::LogFormat::Raw,
        LogFormat::Ecs => v1::LogFormat::Ecs,
        LogFormat::Otel => v1::LogFormat::Otel,
    };
    let when_full = match policy.when_full {
        WhenFull::Drop => v1::WhenFull::Drop,
        WhenFull::Block => v1::WhenFull::Block,
    };
    v1::LogPolicy {
        max_size: Some(policy.max_size),
        max_age: policy.max_age.map(duration_to_wire),
        max_files: Some(policy.max_files),
        compress: compress.into(),
        retention: policy.retention.map(duration_to_wire),
        quota: policy.quota,
        format: format.into(),
        merge: policy.merge,
        when_full: when_full.into(),
    }
}

pub(super) fn rules_from_wire(wire: &[v1::LogRule], reader: &mut Reader) -> Vec<LogRule> {
    let rule = |(index, rule): (usize, &v1::LogRule)| LogRule {
        name: rule.name.clone(),
        pattern: rule.pattern.clone(),
        action: match reader.known(format!("log_rules[{index}].action"), rule.action) {
            v1::LogAction::Unspecified | v1::LogAction::Event => LogAction::Event,
            v1::LogAction::Alert => LogAction::Alert,
            v1::LogAction::Restart => LogAction::Restart,
        },
        cooldown: reader.duration(
            format!("log_rules[{index}].cooldown"),
            rule.cooldown.as_ref(),
            default::LOG_COOLDOWN,
        ),
    };
    wire.iter().enumerate().map(rule).collect()
}

pub(super) fn rule_to_wire(rule: &LogRule) -> v1::LogRule {
    let action = match rule.action {
        LogAction::Event => v1::LogAction::Event,
        LogAction::Alert => v1::LogAction::Alert,
        LogAction::Restart => v1::LogAction::Restart,
    };
    v1::LogRule {
        name: rule.name.clone(),
        pattern: rule.pattern.clone(),
        action: action.into(),
        cooldown: Some(duration_to_wire(rule.cooldown)),
    }
}
