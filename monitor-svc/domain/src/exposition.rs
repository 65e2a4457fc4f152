//! Which metrics are shown, as plain data.
//!
//! In: the history and the inventory. Out: metric families with their samples.
//!
//! Names and labels follow Prometheus' conventions: base units, `_total` on
//! counters only, `process`, `replica` and `node` as labels. Never `instance`
//! or `job` (a scrape sets those) and never a pid (each run would be a new
//! series). What is gone from the inventory is gone from here with it, so that
//! nobody graphs the last value of something that no longer exists.
//!
//! | an instance … | shows |
//! |---|---|
//! | runs | everything |
//! | is on a connected node, but does not run | `pm_process_up` 0, and its restarts, which count across runs |
//! | is on a node that has connected but measured nothing yet | nothing: a gap says less than a wrong 0 |
//! | is on no connected node | nothing; its node shows `pm_node_up` 0 for as long as it is remembered |

use crate::history::History;
use crate::inventory::{Inventory, Location};
use process_model::{InstanceSample, NodeSample, Timestamp};

/// Whether a metric only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, or begins again at 0.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// A metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its name; a counter's ends with `_total`.
    pub name: &'static str,
    /// What it measures.
    pub help: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// Its values.
    pub points: Vec<Point>,
}

type OfInstance = (&'static str, &'static str, Kind, fn(&Seen) -> Option<f64>);
type OfNode = (&'static str, &'static str, Kind, fn(&NodeSample) -> f64);

/// An instance in the inventory with what is remembered of it.
struct Seen {
    at: Location,
    newest: Option<InstanceSample>,
    started: Option<Timestamp>,
}

impl Seen {
    fn running(&self) -> Option<&InstanceSample> {
        self.newest.as_ref().filter(|_| self.at.runs == Some(true))
    }
}

#[allow(clippy::cast_precision_loss)] // Above 2^53 a metric is rounded by design: its values are f64.
fn float(value: u64) -> f64 {
    value as f64
}

const INSTANCE_METRICS: &[OfInstance] = &[
    ("pm_process_up", "Whether the instance runs: 1, else 0", Kind::Gauge, |seen| {
        Some(f64::from(u8::from(seen.at.runs == Some(true))))
    }),
    ("pm_process_restarts_total", "Restarts of the instance", Kind::Counter, |seen| {
        seen.newest.as_ref().map(|sample| f64::from(sample.restarts))
    }),
    (
        "pm_process_cpu_seconds_total",
        "Processor time that the instance's process tree has used in this run, in seconds",
        Kind::Counter,
        |seen| seen.running().map(|sample| sample.cpu_seconds),
    ),
    ("pm_process_memory_bytes", "Memory of the instance's process tree by type, in bytes", Kind::Gauge, |seen| {
        seen.running().map(|sample| float(sample.memory_bytes))
    }),
    ("pm_process_threads", "Threads of the instance's process tree", Kind::Gauge, |seen| {
        seen.running().map(|sample| f64::from(sample.threads))
    }),
    ("pm_process_open_fds", "Open file descriptors of the instance's process tree", Kind::Gauge, |seen| {
        seen.running().map(|sample| f64::from(sample.open_files))
    }),
    ("pm_process_tree_processes", "Operating system processes in the instance's tree", Kind::Gauge, |seen| {
        seen.running().map(|sample| f64::from(sample.processes))
    }),
    ("pm_process_uptime_seconds", "Time since the instance's run began, in seconds", Kind::Gauge, |seen| {
        seen.running().map(|sample| sample.uptime_seconds)
    }),
    (
        "pm_process_start_time_seconds",
        "When the instance's run began, in seconds since the Unix epoch",
        Kind::Gauge,
        |seen| {
            seen.running()?;
            seen.started.map(|start| f64::from(start.subsec_nanos()) / 1e9 + seconds(start))
        },
    ),
];

#[allow(clippy::cast_precision_loss)] // Seconds since the epoch are far below 2^53.
fn seconds(time: Timestamp) -> f64 {
    time.seconds() as f64
}

const NODE_METRICS: &[OfNode] = &[
    ("pm_node_cpu_usage_ratio", "Share of all of the node's processors in use, 0 to 1", Kind::Gauge, |node| {
        node.cpu_percent / 100.0
    }),
    ("pm_node_memory_used_bytes", "Memory in use on the node, in bytes", Kind::Gauge, |node| {
        float(node.memory_used_bytes)
    }),
    ("pm_node_memory_size_bytes", "Memory that the node has, in bytes", Kind::Gauge, |node| {
        float(node.memory_total_bytes)
    }),
    ("pm_node_load1", "Load average of the node over one minute", Kind::Gauge, |node| node.load1),
    ("pm_node_uptime_seconds", "Time since the node booted, in seconds", Kind::Gauge, |node| {
        float(node.uptime_seconds)
    }),
];

/// The metrics of everything in the inventory. A family without values is
/// left out.
#[must_use]
pub fn families(inventory: &Inventory, history: &History) -> Vec<Family> {
    let mut families = of_instances(inventory, history);
    families.extend(of_nodes(inventory, history));
    families.retain(|family| !family.points.is_empty());
    families
}

fn of_instances(inventory: &Inventory, history: &History) -> Vec<Family> {
    let seen: Vec<Seen> = inventory
        .locations()
        .into_iter()
        .filter(|at| at.runs.is_some())
        .map(|at| Seen {
            newest: history.latest_instance(&at.instance, &at.node),
            started: history.started(&at.instance, &at.node),
            at,
        })
        .collect();
    INSTANCE_METRICS
        .iter()
        .map(|&(name, help, kind, value)| {
            let points = seen.iter().filter_map(|seen| {
                let mut labels = vec![
                    ("process", seen.at.instance.process.to_string()),
                    ("replica", seen.at.instance.index.to_string()),
                    ("node", seen.at.node.to_string()),
                ];
                if name == "pm_process_memory_bytes" {
                    labels.push(("type", "rss".to_owned()));
                }
                Some(Point { labels, value: value(seen)? })
            });
            Family { name, help, kind, points: points.collect() }
        })
        .collect()
}

fn of_nodes(inventory: &Inventory, history: &History) -> Vec<Family> {
    let newest: Vec<NodeSample> = history.latest_nodes().collect();
    let label = |node: &process_model::NodeName| vec![("node", node.to_string())];
    let connected = inventory.nodes().map(|(node, _)| Point { labels: label(node), value: 1.0 });
    let remembered = newest
        .iter()
        .filter(|sample| !inventory.is_connected(&sample.node))
        .map(|sample| Point { labels: label(&sample.node), value: 0.0 });
    let mut families = vec![Family {
        name: "pm_node_up",
        help: "Whether the node's runner is connected to the monitor: 1, else 0",
        kind: Kind::Gauge,
        points: connected.chain(remembered).collect(),
    }];
    families.extend(NODE_METRICS.iter().map(|&(name, help, kind, value)| {
        Family {
            name,
            help,
            kind,
            points: newest
                .iter()
                .filter(|sample| inventory.is_connected(&sample.node))
                .map(|sample| Point { labels: label(&sample.node), value: value(sample) })
                .collect(),
        }
    }));
    families
}
