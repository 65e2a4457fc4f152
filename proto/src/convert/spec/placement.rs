//! Where instances go, how they come to a new spec, and that there is one.

use super::reader::{Reader, non_empty};
use crate::convert::duration_to_wire;
use crate::v1::{self, ConstraintOperator as Wire};
use process_model::spec::limits::default;
use process_model::spec::{
    Constraint, Operator, Placement, PlacementStrategy, Reservation, Share, Singleton, UpdatePolicy,
};

pub(super) fn placement_from_wire(wire: &v1::Placement, reader: &mut Reader) -> Placement {
    let apart = wire.apart_from.iter().enumerate();
    Placement {
        constraints: wire.constraints.iter().enumerate().map(|one| constraint_from_wire(one, reader)).collect(),
        strategy: match reader.known("placement.strategy", wire.strategy) {
            v1::PlacementStrategy::Unspecified | v1::PlacementStrategy::Spread => PlacementStrategy::Spread,
            v1::PlacementStrategy::BinPack => PlacementStrategy::BinPack,
        },
        spread_by: non_empty(&wire.spread_by),
        max_per_node: (wire.max_per_node > 0).then_some(wire.max_per_node),
        apart_from: apart
            .filter_map(|(index, name)| reader.name(format!("placement.apart_from[{index}]"), name))
            .collect(),
        daemon: wire.daemon,
        reserve: wire.reserve.as_ref().map_or_else(Reservation::default, |reserve| Reservation {
            cpu_millis: reserve.cpu_millis,
            memory: reserve.memory,
        }),
        replace_after: reader.some_duration("placement.replace_after", wire.replace_after.as_ref()),
    }
}

fn constraint_from_wire((index, wire): (usize, &v1::Constraint), reader: &mut Reader) -> Constraint {
    let field = format!("placement.constraints[{index}].operator");
    let operator = match reader.known(&field, wire.operator) {
        Wire::Equal => Operator::Equal,
        Wire::NotEqual => Operator::NotEqual,
        Wire::In => Operator::In,
        Wire::NotIn => Operator::NotIn,
        Wire::Regexp => Operator::Regexp,
        Wire::Version => Operator::Version,
        Wire::Unspecified => {
            reader.fault(field, "it is missing or unknown", "write one of the operators");
            Operator::Equal
        }
    };
    Constraint { attribute: wire.attribute.clone(), operator, values: wire.values.clone() }
}

pub(super) fn placement_to_wire(placement: &Placement) -> v1::Placement {
    let strategy = match placement.strategy {
        PlacementStrategy::Spread => v1::PlacementStrategy::Spread,
        PlacementStrategy::BinPack => v1::PlacementStrategy::BinPack,
    };
    let Reservation { cpu_millis, memory } = placement.reserve;
    v1::Placement {
        constraints: placement.constraints.iter().map(constraint_to_wire).collect(),
        strategy: strategy.into(),
        spread_by: placement.spread_by.clone().unwrap_or_default(),
        max_per_node: placement.max_per_node.unwrap_or_default(),
        apart_from: placement.apart_from.iter().map(ToString::to_string).collect(),
        daemon: placement.daemon,
        reserve: (placement.reserve != Reservation::default()).then_some(v1::Reservation { cpu_millis, memory }),
        replace_after: placement.replace_after.map(duration_to_wire),
    }
}

fn constraint_to_wire(constraint: &Constraint) -> v1::Constraint {
    let operator = match constraint.operator {
        Operator::Equal => Wire::Equal,
        Operator::NotEqual => Wire::NotEqual,
        Operator::In => Wire::In,
        Operator::NotIn => Wire::NotIn,
        Operator::Regexp => Wire::Regexp,
        Operator::Version => Wire::Version,
    };
    v1::Constraint {
        attribute: constraint.attribute.clone(),
        operator: operator.into(),
        values: constraint.values.clone(),
    }
}

pub(super) fn update_from_wire(wire: &v1::UpdatePolicy, reader: &mut Reader) -> UpdatePolicy {
    let absent = UpdatePolicy::default();
    UpdatePolicy {
        max_unavailable: share_from_wire("max_unavailable", wire.max_unavailable, absent.max_unavailable, reader),
        max_surge: share_from_wire("max_surge", wire.max_surge, absent.max_surge, reader),
        min_ready: reader.duration("update.min_ready", wire.min_ready.as_ref(), absent.min_ready),
        canary: wire.canary,
        auto_promote: wire.auto_promote,
        auto_revert: wire.auto_revert,
        progress_deadline: reader.duration(
            "update.progress_deadline",
            wire.progress_deadline.as_ref(),
            absent.progress_deadline,
        ),
    }
}

fn share_from_wire(field: &str, wire: Option<v1::Share>, absent: Share, reader: &mut Reader) -> Share {
    match wire.and_then(|share| share.share) {
        None => absent,
        Some(v1::share::Share::Count(count)) => Share::Count(count),
        Some(v1::share::Share::Percent(percent)) => {
            // 0 % would be a second fault where it is the only share.
            Share::Percent(reader.narrow(format!("update.{field}"), percent, "0% to 100%", 100))
        }
    }
}

pub(super) fn update_to_wire(update: &UpdatePolicy) -> v1::UpdatePolicy {
    v1::UpdatePolicy {
        max_unavailable: Some(share_to_wire(update.max_unavailable)),
        max_surge: Some(share_to_wire(update.max_surge)),
        min_ready: Some(duration_to_wire(update.min_ready)),
        canary: update.canary,
        auto_promote: update.auto_promote,
        auto_revert: update.auto_revert,
        progress_deadline: Some(duration_to_wire(update.progress_deadline)),
    }
}

fn share_to_wire(share: Share) -> v1::Share {
    let share = match share {
        Share::Count(count) => v1::share::Share::Count(count),
        Share::Percent(percent) => v1::share::Share::Percent(u32::from(percent)),
    };
    v1::Share { share: Some(share) }
}

pub(super) fn singleton_from_wire(wire: &v1::Singleton, reader: &mut Reader) -> Singleton {
    Singleton { lease: reader.duration("singleton.lease", wire.lease.as_ref(), default::SINGLETON_LEASE) }
}

pub(super) fn singleton_to_wire(singleton: &Singleton) -> v1::Singleton {
    v1::Singleton { lease: Some(duration_to_wire(singleton.lease)) }
}
