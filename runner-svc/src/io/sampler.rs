//! Measuring instances and the node. One pass over `/proc` for each round:
//! every process is added to the instance whose tree it is of (`census`).

pub(crate) mod census;

use crate::clock;
use crate::instance::Seen;
use census::{Census, Counted};
use process_model::{InstanceId, InstanceSample, NodeName, NodeSample, Timestamp};
use procfs::process::Process;
use std::collections::BTreeMap;
use std::time::Duration;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Keeps what the next round is compared with.
pub(crate) struct Sampler {
    node: NodeName,
    system: Option<System>,
    /// Processor seconds of a run at the round before, and when that was.
    before: BTreeMap<InstanceId, (u32, f64, Duration)>,
}

/// What a tree adds up to.
#[derive(Debug, Default, Clone, Copy)]
struct Total {
    cpu_seconds: f64,
    memory_bytes: u64,
    threads: u32,
    open_files: u32,
    processes: u32,
}

impl Sampler {
    pub(crate) fn new(node: NodeName) -> Self {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_usage())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(what);
        let system = system.inspect_err(|e| tracing::warn!(error = %e, "cannot measure this node")).ok();
        Self { node, system, before: BTreeMap::new() }
    }

    /// One round.
    pub(crate) fn measure(&mut self, instances: &[(InstanceId, Seen)]) -> (Vec<InstanceSample>, Option<NodeSample>) {
        let (now, time) = (clock::monotonic(), clock::wall());
        let mains: BTreeMap<i32, &InstanceId> = instances
            .iter()
            .filter(|(_, seen)| seen.view.pid != 0)
            .filter_map(|(id, seen)| Some((i32::try_from(seen.view.pid).ok()?, id)))
            .collect();
        let totals = if mains.is_empty() { BTreeMap::new() } else { totals(&mains) };
        let mut before = BTreeMap::new();
        let mut samples = Vec::with_capacity(totals.len());
        for (id, seen) in instances {
            let Some(total) = totals.get(id) else { continue };
            let pid = seen.view.pid;
            let cpu_percent = match self.before.get(id) {
                Some((same, seconds, at)) if *same == pid && now > *at => {
                    (total.cpu_seconds - seconds).max(0.0) / (now - *at).as_secs_f64() * 100.0
                }
                // A first look, or a new run: nothing to compare with.
                Some(_) | None => 0.0,
            };
            before.insert(id.clone(), (pid, total.cpu_seconds, now));
            samples.push(InstanceSample {
                instance: id.clone(),
                node: self.node.clone(),
                time,
                cpu_seconds: total.cpu_seconds,
                cpu_percent,
                memory_bytes: total.memory_bytes,
                threads: total.threads,
                open_files: total.open_files,
                uptime_seconds: uptime(seen.view.started, time),
                processes: total.processes,
                restarts: seen.view.restarts,
                pid,
            });
        }
        self.before = before;
        let node = self.measure_node(time);
        (samples, node)
    }

    fn measure_node(&mut self, time: Timestamp) -> Option<NodeSample> {
        let system = self.system.as_mut()?;
        system.refresh_cpu_usage();
        system.refresh_memory();
        Some(NodeSample {
            node: self.node.clone(),
            time,
            cpu_percent: f64::from(system.global_cpu_usage()),
            memory_used_bytes: system.used_memory(),
            memory_total_bytes: system.total_memory(),
            load1: System::load_average().map_or(0.0, |load| load.one),
            uptime_seconds: System::uptime().unwrap_or(0),
        })
    }
}

fn uptime(started: Option<Timestamp>, now: Timestamp) -> f64 {
    let nanos = started.map_or(0, |started| now.0.saturating_sub(started.0).max(0));
    Duration::from_nanos(nanos.unsigned_abs()).as_secs_f64()
}

/// Adds every process to the instance whose tree it is of.
fn totals(mains: &BTreeMap<i32, &InstanceId>) -> BTreeMap<InstanceId, Total> {
    let (pids, instances): (Vec<i32>, Vec<&InstanceId>) = mains.iter().map(|(pid, id)| (*pid, *id)).unzip();
    let mut sums = vec![Total::default(); pids.len()];
    for (tree, pid, counted) in Census::take().members(&pids) {
        if let Some(total) = sums.get_mut(tree) {
            add(total, pid, counted);
        }
    }
    let there = instances.into_iter().zip(sums).filter(|(_, total)| total.processes > 0);
    there.map(|(id, total)| (id.clone(), total)).collect()
}

fn add(total: &mut Total, pid: i32, counted: &Counted) {
    let ticks = procfs::ticks_per_second().max(1);
    let used = u32::try_from(counted.ticks).map_or(f64::from(u32::MAX), f64::from);
    total.cpu_seconds += used / u32::try_from(ticks).map_or(100.0, f64::from);
    total.memory_bytes += counted.pages * procfs::page_size();
    total.threads += counted.threads;
    total.open_files += open_files(pid).unwrap_or(0);
    total.processes += 1;
}

/// `None` when it is gone or not ours to look into.
fn open_files(pid: i32) -> Option<u32> {
    u32::try_from(Process::new(pid).ok()?.fd_count().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    use std::process::Command;

    /// Says that this process runs one test alone: the limit is the process's.
    const ALONE: &str = "PM_TEST_ALONE";

    #[test]
    fn a_look_at_every_process_holds_no_descriptor_of_them() {
        if std::env::var_os(ALONE).is_none() {
            let name = "io::sampler::tests::a_look_at_every_process_holds_no_descriptor_of_them";
            let alone = Command::new(std::env::current_exe().unwrap()).args(["--exact", name]).env(ALONE, "1").output();
            let alone = alone.unwrap();
            let words = String::from_utf8_lossy(&alone.stdout).into_owned();
            assert!(alone.status.success() && words.contains("1 passed"), "{words}");
            return;
        }
        let mut children: Vec<_> = (0..50).map(|_| Command::new("sleep").arg("1000").spawn().unwrap()).collect();
        let (instance, main) = ("web-1".parse().unwrap(), i32::try_from(std::process::id()).unwrap());
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, u64::from(open_files(main).unwrap()) + 20, hard).unwrap();
        let total = totals(&BTreeMap::from([(main, &instance)]))[&instance];
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(total.processes > 50, "{total:?}");
        assert!(total.open_files >= 3 * 50, "{total:?}");
    }
}
