//! Which newest samples are shown.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test fails by panicking.

use monitor_domain::SessionId;
use monitor_domain::history::{History, Limits};
use monitor_domain::inventory::Inventory;
use monitor_domain::latest::{Latest, latest};
use process_model::{InstanceId, InstanceSample, NodeName, NodeSample, Selector, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

fn node(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn ids(texts: &[&str]) -> BTreeSet<InstanceId> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn record(history: &mut History, id: &str, on: &str, at: u64) {
    let sample = InstanceSample {
        instance: id.parse().unwrap(),
        node: node(on),
        time: Timestamp(i64::try_from(at).unwrap() * 1_000_000_000),
        cpu_seconds: 0.0,
        cpu_percent: 0.0,
        memory_bytes: 0,
        threads: 1,
        open_files: 1,
        uptime_seconds: 0.0,
        processes: 1,
        restarts: 0,
        pid: 1,
    };
    history.record_instance(&sample, Duration::from_secs(at));
    let of_node = NodeSample {
        node: node(on),
        time: sample.time,
        cpu_percent: 0.0,
        memory_used_bytes: 0,
        memory_total_bytes: 0,
        load1: 0.0,
        uptime_seconds: 0,
    };
    history.record_node(&of_node, Duration::from_secs(at));
}

fn shown(latest: &Latest) -> Vec<String> {
    latest.instances.iter().map(|sample| format!("{}@{}", sample.instance, sample.node)).collect()
}

#[test]
fn what_its_node_measured_no_more_is_not_shown_and_what_nobody_knows_is() {
    let mut history = History::new(Limits::keeping(Duration::from_secs(3600)));
    let mut inventory = Inventory::default();
    record(&mut history, "web-1", "a", 1);
    record(&mut history, "web-2", "a", 1);
    assert_eq!(shown(&latest(&history, &inventory, &[])), ["web-1@a", "web-2@a"]);
    inventory.connected(node("a"), SessionId(1));
    assert_eq!(shown(&latest(&history, &inventory, &[])), ["web-1@a", "web-2@a"]);
    inventory.measured(&node("a"), SessionId(1), ids(&["web-2"]));
    assert_eq!(shown(&latest(&history, &inventory, &[])), ["web-2@a"]);
}

#[test]
fn an_instance_that_moved_is_shown_once_from_where_it_runs() {
    let mut history = History::new(Limits::keeping(Duration::from_secs(3600)));
    let mut inventory = Inventory::default();
    record(&mut history, "web-1", "a", 1);
    record(&mut history, "web-1", "b", 2);
    assert_eq!(shown(&latest(&history, &inventory, &[])), ["web-1@b"]);
    inventory.connected(node("a"), SessionId(1));
    inventory.measured(&node("a"), SessionId(1), ids(&["web-1"]));
    assert_eq!(shown(&latest(&history, &inventory, &[])), ["web-1@a"]);
}

#[test]
fn selectors_choose_instances_and_with_them_their_nodes() {
    let mut history = History::new(Limits::keeping(Duration::from_secs(3600)));
    record(&mut history, "web-1", "a", 1);
    record(&mut history, "api-1", "b", 1);
    let found = latest(&history, &Inventory::default(), &[Selector::new("web")]);
    assert_eq!(shown(&found), ["web-1@a"]);
    assert_eq!(found.nodes.iter().map(|node| node.node.as_str()).collect::<Vec<_>>(), ["a"]);
}
