//! Where instances go, how they come to a new spec, and that there is one.

use super::execution::millis;
use super::fields::SINGLETON;
use super::mapping::{Mapping, located};
use super::report::Report;
use super::scalar::{self, Look, Wrong, cut};
use super::tree::{Node, Value};
use super::value::{list, name, word};
use crate::ProcessName;
use crate::spec::{Constraint, Placement, PlacementStrategy, Reservation, Share, Singleton, UpdatePolicy, limits};

/// `placement`.
pub(super) fn placement(fields: &Mapping<'_>, report: &mut Report) -> Option<Box<Placement>> {
    let map = fields.group("placement", report)?;
    let strategy = map.read("strategy", report, |node| word(node, &PlacementStrategy::ALL, PlacementStrategy::as_str));
    let placement = Placement {
        constraints: list(&map, "constraints", report, constraint),
        strategy: strategy.unwrap_or_default(),
        spread_by: map.read("spread_by", report, label),
        max_per_node: map.integer("max_per_node", report),
        apart_from: list(&map, "apart_from", report, |item| scalar::text(item).and_then(name::<ProcessName>)),
        daemon: map.flag("daemon", report).unwrap_or_default(),
        reserve: map.group("reserve", report).map(|map| reserve(&map, report)).unwrap_or_default(),
        replace_after: map.duration("replace_after", report),
    };
    (!placement.is_empty()).then(|| Box::new(placement))
}

fn constraint(node: &Node) -> Result<Constraint, Wrong> {
    let text = scalar::text(node)?;
    text.parse().map_err(|error: crate::spec::InvalidConstraint| Wrong::new(error.problem, error.fix))
}

/// Labels are named as processes are.
fn label(node: &Node) -> Result<String, Wrong> {
    scalar::text(node).and_then(name::<ProcessName>).map(|label| label.to_string())
}

fn reserve(map: &Mapping<'_>, report: &mut Report) -> Reservation {
    Reservation {
        cpu_millis: map.number("cpu", report).map(millis).unwrap_or_default(),
        memory: map.size("memory", report).unwrap_or_default(),
    }
}

/// `update`.
pub(super) fn update(fields: &Mapping<'_>, report: &mut Report) -> Option<Box<UpdatePolicy>> {
    let map = fields.group("update", report)?;
    let absent = UpdatePolicy::default();
    Some(Box::new(UpdatePolicy {
        max_unavailable: map.read("max_unavailable", report, share).unwrap_or(absent.max_unavailable),
        max_surge: map.read("max_surge", report, share).unwrap_or(absent.max_surge),
        min_ready: map.duration("min_ready", report).unwrap_or(absent.min_ready),
        canary: map.integer("canary", report).unwrap_or(absent.canary),
        auto_promote: map.flag("auto_promote", report).unwrap_or(absent.auto_promote),
        auto_revert: map.flag("auto_revert", report).unwrap_or(absent.auto_revert),
        progress_deadline: map.duration("progress_deadline", report).unwrap_or(absent.progress_deadline),
    }))
}

/// A number, or a share as `25%`.
fn share(node: &Node) -> Result<Share, Wrong> {
    const FORM: &str = "write a number of instances, or a share as \"25%\"";
    let percent = match &node.value {
        Value::Scalar(scalar) if scalar.look() == Look::Text => scalar.text.trim().strip_suffix('%'),
        Value::Scalar(scalar) if scalar.look() == Look::Number => {
            return scalar::integer(node, &limits::INSTANCES).map(Share::Count);
        }
        Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => return Err(Wrong::found(node, FORM)),
    };
    let number = percent.ok_or_else(|| Wrong::found(node, FORM))?.trim_end();
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    match number.parse::<u8>().ok().filter(|percent| digits && *percent <= 100) {
        Some(percent) => Ok(Share::Percent(percent)),
        None => Err(Wrong::new(format!("{}% is out of range", cut(number)), "write 0% to 100%")),
    }
}

/// `singleton`: whether, or a map.
pub(super) fn singleton(fields: &Mapping<'_>, report: &mut Report) -> Option<Box<Singleton>> {
    let entry = fields.wanted("singleton", report)?;
    match &entry.value.value {
        Value::Scalar(_) => fields.flag("singleton", report)?.then(Box::default),
        Value::Mapping(_) => {
            let map = Mapping::open(&SINGLETON, &entry.value, fields.field("singleton"), entry.key_at, report)?;
            let absent = Singleton::default();
            Some(Box::new(Singleton { lease: map.duration("lease", report).unwrap_or(absent.lease) }))
        }
        Value::Sequence(_) => {
            let wrong = Wrong::found(&entry.value, "write true, false, or a map of lease");
            report.fault(entry.value.at, located(&fields.field("singleton"), wrong));
            None
        }
    }
}
