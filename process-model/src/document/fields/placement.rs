//! Where instances go, how they come to a new spec, and that there is one.

use super::{field, group};
use crate::document::field::{Field, Group, Preset, Shape};
use crate::spec::PlacementStrategy;
use crate::spec::limits::{self, default};
use std::time::Duration;

fn strategies() -> Vec<&'static str> {
    PlacementStrategy::ALL.iter().map(|strategy| strategy.as_str()).collect()
}

pub(super) const FIELDS: &[Field] = &[
    field(
        "placement",
        Shape::Group(&PLACEMENT),
        Preset::Absent,
        r#"{"constraints": ["zone = eu-1"], "replace_after": "2m"}"#,
        "Which nodes its instances go to, and when they go elsewhere. Left out: to any node, spread, and they stay there.",
    ),
    field(
        "update",
        Shape::Group(&UPDATE),
        Preset::Absent,
        r#"{"max_unavailable": 1, "min_ready": "10s", "auto_revert": true}"#,
        "How its instances come to a new spec: some at a time, each batch once the one before serves.",
    ),
    field(
        "singleton",
        Shape::FlagOrGroup(&SINGLETON),
        Preset::Flag(false),
        "true",
        "There is never a second copy: a node that is cut off ends it before another one starts it. With at most one instance.",
    ),
];

/// `placement`.
static PLACEMENT: Group = group(
    "placement",
    "placement",
    &[&[
        field(
            "constraints",
            Shape::Constraints,
            Preset::Absent,
            r#"["zone in eu-1, eu-2", "node.kernel version >= 5.15"]"#,
            "What a node has to be, each as ATTRIBUTE OPERATOR VALUE: a label, or node.name, node.cpus, node.memory, node.arch, node.os, node.kernel, node.runner_version; =, !=, in, not in, regexp, version. All of them.",
        ),
        field(
            "strategy",
            Shape::Word(strategies),
            Preset::Text("spread"),
            r#""bin-pack""#,
            "spread: the node with the least to do; bin-pack: the fullest that still has room.",
        ),
        field(
            "spread_by",
            Shape::Name,
            Preset::Absent,
            r#""zone""#,
            "The label over whose values the instances are spread first.",
        ),
        field(
            "max_per_node",
            Shape::Integer(limits::MAX_PER_NODE),
            Preset::Absent,
            "1",
            "Instances of it on one node. Left out: any number.",
        ),
        field(
            "apart_from",
            Shape::Names,
            Preset::Absent,
            r#"["db"]"#,
            "Processes of which no instance is on the same node.",
        ),
        field(
            "daemon",
            Shape::Flag,
            Preset::Flag(false),
            "true",
            "One instance on each node that can be, also on those that come later.",
        ),
        field(
            "reserve",
            Shape::Group(&RESERVE),
            Preset::Absent,
            r#"{"cpu": 0.5, "memory": "512MiB"}"#,
            "What one instance takes of a node's capacity, whether it uses it or not. A node that has less left gets none.",
        ),
        field(
            "replace_after",
            Shape::Duration(limits::REPLACE_AFTER),
            Preset::Absent,
            r#""2m""#,
            "When its node has been lost for so long, an instance is started elsewhere. Left out: it waits for its node; a singleton goes elsewhere as soon as it has ended for sure.",
        ),
    ]],
);

/// `placement.reserve`.
static RESERVE: Group = group(
    "reserve",
    "reserve",
    &[&[
        field("cpu", Shape::Number(0.0..=1024.0), Preset::Number(0.0), "0.5", "CPUs, as 0.5 for half of one."),
        field("memory", Shape::Size(limits::RESERVED_MEMORY), Preset::Size(0), r#""512MiB""#, "Memory."),
    ]],
);

/// `update`.
static UPDATE: Group = group(
    "update",
    "update",
    &[&[
        field(
            "max_unavailable",
            Shape::Share,
            Preset::Text("25%"),
            "1",
            "How many may not serve at a time: a number, or a share of the instances, rounded down to at least 1. 0 only with max_surge.",
        ),
        field(
            "max_surge",
            Shape::Share,
            Preset::Integer(0),
            r#""25%""#,
            "How many may be there beyond the number of instances meanwhile: they come first and go last.",
        ),
        field(
            "min_ready",
            Shape::Duration(limits::MIN_READY),
            Preset::Duration(Duration::ZERO),
            r#""10s""#,
            "An instance counts as serving once it has been ready for so long.",
        ),
        field(
            "canary",
            Shape::Integer(limits::INSTANCES),
            Preset::Integer(0),
            "1",
            "So many instances go first; the others wait for `pmctl rollout promote`.",
        ),
        field(
            "auto_promote",
            Shape::Flag,
            Preset::Flag(false),
            "true",
            "Canaries that have been ready for min_ready promote themselves.",
        ),
        field(
            "auto_revert",
            Shape::Flag,
            Preset::Flag(false),
            "true",
            "A failed update brings the spec before it back.",
        ),
        field(
            "progress_deadline",
            Shape::Duration(limits::PROGRESS_DEADLINE),
            Preset::Duration(default::PROGRESS_DEADLINE),
            r#""5m""#,
            "An update that makes no progress for so long has failed.",
        ),
    ]],
);

/// `singleton` as a map.
pub(in crate::document) static SINGLETON: Group = group(
    "singleton",
    "singleton",
    &[&[field(
        "lease",
        Shape::Duration(limits::SINGLETON_LEASE),
        Preset::Duration(default::SINGLETON_LEASE),
        r#""20s""#,
        "When its node has not heard from the registry for so long, it ends the instance.",
    )]],
);
