//! What is remembered: samples of the last hour, per instance and per node.
//!
//! In: samples as they arrive, and the time since the monitor began. Out: the
//! newest sample of everything, and runs of samples, oldest first.
//!
//! Memory is bounded twice. By time: a block of samples goes when its last one
//! arrived longer ago than the retention. By size: when all of it together
//! passes the limit, the block that was completed first goes, whosever it is.
//! Both follow the time of *arrival*, by the monitor's own monotonic clock: a
//! node whose clock is wrong neither loses its history nor keeps it for ever.

mod block;
mod limits;
mod row;
mod series;

pub use limits::Limits;

use process_model::{InstanceId, InstanceSample, NodeName, NodeSample, Selector, Timestamp};
use row::Columns;
use series::{Appended, Series};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is remembered.
    Accepted,
    /// It is not newer than what is remembered: sent twice, or overtaken.
    AlreadySo,
    /// It would begin another series, and there is no memory for one.
    Full,
}

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Instances and nodes of which something is remembered.
    pub series: usize,
    /// Samples of all of them.
    pub samples: usize,
    /// Bytes that they take, counting what is stored and its fixed cost.
    pub bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// An instance on a node. By node as well, because two nodes' clocks do
    /// not compare: one series has one clock.
    Instance(InstanceId, NodeName),
    Node(NodeName),
}

/// A completed block, in the order of completion. `born` tells a series from
/// an earlier one of the same key.
#[derive(Debug)]
struct Mark {
    key: Key,
    born: u64,
}

/// The last hour.
#[derive(Debug)]
pub struct History {
    limits: Limits,
    instances: BTreeMap<InstanceId, BTreeMap<NodeName, Series<InstanceSample>>>,
    nodes: BTreeMap<NodeName, Series<NodeSample>>,
    completed: VecDeque<Mark>,
    births: u64,
    samples: usize,
    bytes: usize,
}

impl History {
    /// An empty history.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            instances: BTreeMap::new(),
            nodes: BTreeMap::new(),
            completed: VecDeque::new(),
            births: 0,
            samples: 0,
            bytes: 0,
        }
    }

    /// Remembers a sample of an instance. `now` must not go back.
    pub fn record_instance(&mut self, sample: &InstanceSample, now: Duration) -> Recorded {
        let by_node = self.instances.get(&sample.instance);
        if by_node.is_none_or(|nodes| !nodes.contains_key(&sample.node)) {
            if !self.make_room_for::<InstanceSample>() {
                return Recorded::Full;
            }
            let fresh = self.fresh();
            self.instances.entry(sample.instance.clone()).or_default().insert(sample.node.clone(), fresh);
        }
        let births = &mut self.births;
        let Some(series) = self.instances.get_mut(&sample.instance).and_then(|nodes| nodes.get_mut(&sample.node))
        else {
            return Recorded::Full;
        };
        let appended = series.append(sample, now, births);
        let mark = Mark { key: Key::Instance(sample.instance.clone(), sample.node.clone()), born: series.born() };
        self.account(appended, mark)
    }

    /// Remembers a sample of a node. `now` must not go back.
    pub fn record_node(&mut self, sample: &NodeSample, now: Duration) -> Recorded {
        if !self.nodes.contains_key(&sample.node) {
            if !self.make_room_for::<NodeSample>() {
                return Recorded::Full;
            }
            let fresh = self.fresh();
            self.nodes.insert(sample.node.clone(), fresh);
        }
        let births = &mut self.births;
        let Some(series) = self.nodes.get_mut(&sample.node) else { return Recorded::Full };
        let appended = series.append(sample, now, births);
        let mark = Mark { key: Key::Node(sample.node.clone()), born: series.born() };
        self.account(appended, mark)
    }

    /// Forgets what arrived longer than the retention before `now`.
    pub fn expire(&mut self, now: Duration) {
        let Some(horizon) = now.checked_sub(self.limits.retention) else { return };
        // Blocks are completed in the order in which their last samples
        // arrived, so what is too old is a prefix of the queue.
        while let Some(mark) = self.completed.front() {
            if self.front_arrival(mark).is_some_and(|arrival| arrival >= horizon) {
                break;
            }
            self.drop_oldest_block();
        }
        // What is left of a series that no longer grows never completes a block.
        let (mut samples, mut bytes) = (0, 0);
        let mut gone = |s: usize, b: usize| {
            samples += s;
            bytes += b;
        };
        self.instances.retain(|_, nodes| {
            nodes.retain(|_, series| keep(series, horizon, &mut gone));
            !nodes.is_empty()
        });
        self.nodes.retain(|_, series| keep(series, horizon, &mut gone));
        self.samples -= samples;
        self.bytes -= bytes;
    }

    /// Instances of which something is remembered, ordered by id.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceId> {
        self.instances.keys()
    }

    /// The nodes on which something of an instance was measured, the latest first.
    #[must_use]
    pub fn nodes_of(&self, id: &InstanceId) -> Vec<&NodeName> {
        let mut nodes: Vec<_> = self.instances.get(id).into_iter().flatten().collect();
        nodes.sort_by_key(|(_, series)| std::cmp::Reverse(series.last_arrival()));
        nodes.into_iter().map(|(node, _)| node).collect()
    }

    /// The newest sample of one instance on one node.
    #[must_use]
    pub fn latest_instance(&self, id: &InstanceId, node: &NodeName) -> Option<InstanceSample> {
        self.instances.get(id)?.get(node)?.newest(&(id, node))
    }

    /// When the run of the newest sample began: held still against the jitter
    /// of its measurements.
    #[must_use]
    pub fn started(&self, id: &InstanceId, node: &NodeName) -> Option<Timestamp> {
        self.instances.get(id)?.get(node)?.started()
    }

    /// The newest sample of every node, ordered by name.
    pub fn latest_nodes(&self) -> impl Iterator<Item = NodeSample> + '_ {
        self.nodes.iter().filter_map(|(node, series)| series.newest(&node))
    }

    /// The samples of an instance from `since` on, oldest first; at most
    /// [`Limits::max_answer`], the newest ones. Empty when nothing is kept.
    #[must_use]
    pub fn instance_since(&self, id: &InstanceId, since: Option<Timestamp>) -> Vec<InstanceSample> {
        let Some(nodes) = self.instances.get(id) else { return Vec::new() };
        let mut samples: Vec<InstanceSample> =
            nodes.iter().flat_map(|(node, series)| series.rows(self.limits.retention, since, &(id, node))).collect();
        // One series is in order already; two only after a move to another node.
        samples.sort_by_key(|sample| sample.time);
        let surplus = samples.len().saturating_sub(self.limits.max_answer);
        samples.drain(..surplus);
        samples
    }

    /// The node that last had an instance of this selector.
    #[must_use]
    pub fn last_node_of(&self, selector: &Selector) -> Option<NodeName> {
        let id = self.instances().find(|id| selector.selects_instance(id))?;
        self.nodes_of(id).first().map(|node| (*node).clone())
    }

    /// How much is remembered.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let instances: usize = self.instances.values().map(BTreeMap::len).sum();
        Stats { series: instances + self.nodes.len(), samples: self.samples, bytes: self.bytes }
    }

    fn fresh<S: Columns>(&mut self) -> Series<S> {
        self.births += 1;
        let series = Series::new(self.births);
        self.bytes += series.bytes();
        series
    }

    /// Makes room for one more series; false when only beginnings of blocks
    /// are left, which cannot be dropped without losing what is newest.
    fn make_room_for<S: Columns>(&mut self) -> bool {
        let needed = Series::<S>::new(0).bytes();
        while self.bytes + needed > self.limits.max_bytes {
            if !self.drop_oldest_block() {
                return false;
            }
        }
        true
    }

    fn account(&mut self, appended: Appended, mark: Mark) -> Recorded {
        match appended {
            Appended::Repeated => return Recorded::AlreadySo,
            Appended::Grown { bytes } => {
                self.bytes += bytes;
                self.samples += 1;
            }
            Appended::Completed { bytes } => {
                self.bytes += bytes;
                self.samples += 1;
                self.completed.push_back(mark);
            }
            Appended::Restarted { lost_bytes, lost_samples, bytes } => {
                self.bytes = self.bytes - lost_bytes + bytes;
                self.samples = self.samples - lost_samples + 1;
            }
        }
        while self.bytes > self.limits.max_bytes && self.drop_oldest_block() {}
        Recorded::Accepted
    }

    fn front_arrival(&self, mark: &Mark) -> Option<Duration> {
        match &mark.key {
            Key::Instance(id, node) => {
                self.instances.get(id)?.get(node).filter(|s| s.born() == mark.born)?.front_arrival()
            }
            Key::Node(node) => self.nodes.get(node).filter(|s| s.born() == mark.born)?.front_arrival(),
        }
    }

    /// False when there is no completed block.
    fn drop_oldest_block(&mut self) -> bool {
        let Some(mark) = self.completed.pop_front() else { return false };
        let dropped = match &mark.key {
            Key::Instance(id, node) => self
                .instances
                .get_mut(id)
                .and_then(|nodes| nodes.get_mut(node))
                .filter(|s| s.born() == mark.born)
                .and_then(Series::drop_front),
            Key::Node(node) => self.nodes.get_mut(node).filter(|s| s.born() == mark.born).and_then(Series::drop_front),
        };
        // `None`: the series began anew since, and its blocks went then.
        if let Some((samples, bytes)) = dropped {
            self.samples -= samples;
            self.bytes -= bytes;
        }
        true
    }
}

fn keep<S: Columns>(series: &Series<S>, horizon: Duration, gone: &mut impl FnMut(usize, usize)) -> bool {
    let alive = series.last_arrival() >= horizon;
    if !alive {
        gone(series.samples(), series.bytes());
    }
    alive
}
