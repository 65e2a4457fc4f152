//! Which metrics there are, and when they go.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test fails by panicking.

use monitor_domain::SessionId;
use monitor_domain::exposition::{Family, Kind, families};
use monitor_domain::history::{History, Limits};
use monitor_domain::inventory::Inventory;
use process_model::{InstanceId, InstanceSample, NodeName, NodeSample, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

const SESSION: SessionId = SessionId(1);

struct World {
    inventory: Inventory,
    history: History,
}

fn name() -> NodeName {
    "a".parse().unwrap()
}

fn ids(texts: &[&str]) -> BTreeSet<InstanceId> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Node `a` with web-1, which runs, and web-2, which ran.
fn world() -> World {
    let mut history = History::new(Limits::keeping(Duration::from_secs(3600)));
    for (index, id) in ["web-1", "web-2"].into_iter().enumerate() {
        let sample = InstanceSample {
            instance: id.parse().unwrap(),
            node: name(),
            time: Timestamp(1_000_000_000_000),
            cpu_seconds: 1.5,
            cpu_percent: 3.0,
            memory_bytes: 4096,
            threads: 2,
            open_files: 9,
            uptime_seconds: 100.0,
            processes: 1,
            restarts: 4 + u32::try_from(index).unwrap(),
            pid: 1234,
        };
        history.record_instance(&sample, Duration::ZERO);
    }
    let node = NodeSample {
        node: name(),
        time: Timestamp(1_000_000_000_000),
        cpu_percent: 25.0,
        memory_used_bytes: 10,
        memory_total_bytes: 20,
        load1: 0.5,
        uptime_seconds: 7,
    };
    history.record_node(&node, Duration::ZERO);
    let mut inventory = Inventory::default();
    inventory.connected(name(), SESSION);
    inventory.announced(&name(), SESSION, ids(&["web-1", "web-2"]));
    inventory.measured(&name(), SESSION, ids(&["web-1"]));
    World { inventory, history }
}

fn values(families: &[Family], name: &str) -> Vec<(String, f64)> {
    let Some(family) = families.iter().find(|family| family.name == name) else { return Vec::new() };
    let text = |labels: &[(&str, String)]| {
        labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
    };
    family.points.iter().map(|point| (text(&point.labels), point.value)).collect()
}

#[test]
fn a_running_instance_shows_everything_and_a_stopped_one_that_it_is_down() {
    let World { inventory, history } = world();
    let shown = families(&inventory, &history);
    let web = |n: u32| format!("process=web,replica={n},node=a");
    assert_eq!(values(&shown, "pm_process_up"), [(web(1), 1.0), (web(2), 0.0)]);
    assert_eq!(values(&shown, "pm_process_restarts_total"), [(web(1), 4.0), (web(2), 5.0)]);
    assert_eq!(values(&shown, "pm_process_cpu_seconds_total"), [(web(1), 1.5)]);
    assert_eq!(values(&shown, "pm_process_memory_bytes"), [(format!("{},type=rss", web(1)), 4096.0)]);
    assert_eq!(values(&shown, "pm_process_start_time_seconds"), [(web(1), 900.0)]);
    assert_eq!(values(&shown, "pm_node_up"), [("node=a".to_owned(), 1.0)]);
    assert_eq!(values(&shown, "pm_node_cpu_usage_ratio"), [("node=a".to_owned(), 0.25)]);
}

#[test]
fn what_left_the_inventory_is_shown_no_more() {
    let World { mut inventory, history } = world();
    inventory.announced(&name(), SESSION, ids(&["web-2"]));
    let shown = families(&inventory, &history);
    assert_eq!(values(&shown, "pm_process_up").len(), 1);
    assert_eq!(values(&shown, "pm_process_cpu_seconds_total"), []);
    inventory.disconnected(&name(), SESSION);
    let shown = families(&inventory, &history);
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(values(&shown, "pm_node_up"), [("node=a".to_owned(), 0.0)]);
}

#[test]
fn a_session_that_has_measured_nothing_yet_takes_nothing_down() {
    let World { mut inventory, history } = world();
    inventory.connected(name(), SessionId(2));
    inventory.announced(&name(), SessionId(2), ids(&["web-1"]));
    assert_eq!(values(&families(&inventory, &history), "pm_process_up"), []);
}

#[test]
fn names_labels_and_help_follow_the_conventions() {
    let World { inventory, history } = world();
    let shown = families(&inventory, &history);
    let mut names = BTreeSet::new();
    for family in shown {
        assert!(names.insert(family.name), "{} is there twice", family.name);
        assert!(!family.help.is_empty() && !family.help.ends_with('.'), "{}", family.name);
        assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
        for (label, _) in family.points.iter().flat_map(|point| &point.labels) {
            assert!(["process", "replica", "node", "type"].contains(label), "{}: {label}", family.name);
        }
    }
}
