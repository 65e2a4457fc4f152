//! Limits of one run: written to its cgroups, and what the kernel counts
//! against them.
//!
//! In observe mode nothing is written; usage is compared with the limits.

use super::find::{Kind, Version};
use process_model::spec::{LimitMode, ResourceLimits};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Length of a period of CPU bandwidth, microseconds: the kernel's default.
const PERIOD: u64 = 100_000;

/// How long the kernel's count of kills and the end of a program may be apart
/// to be of each other.
const TOGETHER: Duration = Duration::from_secs(1);

/// The limits of a run, and where they are counted.
#[derive(Debug)]
pub(crate) struct Limited {
    limits: ResourceLimits,
    memory: Option<(Version, PathBuf)>,
    pids: Option<(Version, PathBuf)>,
    cpu: Option<(Version, PathBuf)>,
    /// Processes that the kernel killed for lack of memory, and when that
    /// count last grew.
    killed: u64,
    killed_at: Option<Instant>,
    /// CPU time at an earlier look, for observing.
    cpu_before: Option<(Instant, u64)>,
    told: Told,
}

/// What was told of this run: once is enough for what lasts.
#[derive(Debug, Default)]
struct Told {
    memory: bool,
    pids: bool,
    cpu: bool,
}

impl Limited {
    pub(super) fn new(limits: ResourceLimits) -> Self {
        Self {
            limits,
            memory: None,
            pids: None,
            cpu: None,
            killed: 0,
            killed_at: None,
            cpu_before: None,
            told: Told::default(),
        }
    }

    pub(super) fn limits(&self) -> &ResourceLimits {
        &self.limits
    }

    pub(super) fn observes(&self) -> bool {
        self.limits.mode == LimitMode::Observe
    }

    /// The controllers that its limits need.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let cpu = if self.observes() { Kind::CpuCount } else { Kind::Cpu };
        [
            self.limits.memory.map(|_| Kind::Memory),
            self.limits.cpu_millis.map(|_| cpu),
            self.limits.pids.map(|_| Kind::Pids),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub(super) fn describe(&self, kind: Kind) -> String {
        match kind {
            Kind::Memory => format!("the memory limit of {} bytes", self.limits.memory.unwrap_or_default()),
            Kind::Cpu | Kind::CpuCount => {
                format!("the limit of {} thousandths of a CPU", self.limits.cpu_millis.unwrap_or_default())
            }
            Kind::Pids => format!("the limit of {} processes and threads", self.limits.pids.unwrap_or_default()),
        }
    }

    /// What is not done when a controller is missing.
    pub(super) fn verb(&self) -> &'static str {
        if self.observes() { "observed" } else { "enforced" }
    }

    /// Sets a limit in a fresh group, whose counters are at 0.
    pub(super) fn set(&mut self, kind: Kind, version: Version, dir: PathBuf) -> io::Result<()> {
        if !self.observes() {
            self.write(kind, version, &dir)?;
        }
        self.take_over(kind, version, dir);
        Ok(())
    }

    /// Counts on in a group that was set up before.
    pub(super) fn take_over(&mut self, kind: Kind, version: Version, dir: PathBuf) {
        match kind {
            Kind::Memory => {
                self.memory = Some((version, dir));
                self.killed = self.kills();
            }
            Kind::Pids => self.pids = Some((version, dir)),
            Kind::Cpu | Kind::CpuCount => self.cpu = Some((version, dir)),
        }
    }

    fn write(&self, kind: Kind, version: Version, dir: &Path) -> io::Result<()> {
        let put = |file: &str, text: String| fs::write(dir.join(file), text);
        match (kind, version) {
            (Kind::Memory, _) => {
                let bytes = self.limits.memory.unwrap_or(u64::MAX);
                match version {
                    Version::V1 => {
                        put("memory.limit_in_bytes", bytes.to_string())?;
                        // With swap: else the limit only moves memory to the disk. Not every kernel accounts for it.
                        let _ = put("memory.memsw.limit_in_bytes", bytes.to_string());
                    }
                    Version::V2 => {
                        put("memory.max", bytes.to_string())?;
                        let _ = put("memory.swap.max", "0".to_owned());
                    }
                }
                Ok(())
            }
            (Kind::Cpu, _) => {
                let quota = u64::from(self.limits.cpu_millis.unwrap_or_default()) * PERIOD / 1000;
                match version {
                    Version::V1 => {
                        put("cpu.cfs_period_us", PERIOD.to_string())?;
                        put("cpu.cfs_quota_us", quota.to_string())
                    }
                    Version::V2 => put("cpu.max", format!("{quota} {PERIOD}")),
                }
            }
            (Kind::Pids, _) => put("pids.max", self.limits.pids.unwrap_or(u32::MAX).to_string()),
            (Kind::CpuCount, _) => Ok(()),
        }
    }

    pub(super) fn memory_group(&self) -> Option<(Version, &Path)> {
        self.memory.as_ref().map(|(version, dir)| (*version, dir.as_path()))
    }

    pub(super) fn pids_group(&self) -> Option<&Path> {
        self.pids.as_ref().map(|(_, dir)| dir.as_path())
    }

    /// Whether it has to be looked at from time to time: the kernel tells of
    /// usage below a limit by no event, but for memory in version 1.
    pub(super) fn needs_looking(&self) -> bool {
        let memory = matches!(self.memory, Some((Version::V2, _)));
        self.observes() && (memory || self.pids.is_some() || self.cpu.is_some())
    }

    /// What there is to tell since the last look.
    pub(super) fn news(&mut self, now: Instant) -> Vec<String> {
        let told = if self.observes() { self.passed(now) } else { self.reached(now) };
        told.into_iter().flatten().collect()
    }

    /// Limits that the kernel enforced.
    fn reached(&mut self, now: Instant) -> [Option<String>; 3] {
        let grew = self.count_kills(now);
        let killed = grew.then(|| format!("{} was reached: the kernel killed a process", self.describe(Kind::Memory)));
        let refused = self.pids.as_ref().and_then(|(_, dir)| counter(&dir.join("pids.events"), "max")).unwrap_or(0) > 0;
        let refused = (refused && !self.told.pids)
            .then(|| format!("{} was reached: a new one was refused", self.describe(Kind::Pids)));
        self.told.pids |= refused.is_some();
        [killed, refused, None]
    }

    /// Limits that usage is beyond.
    fn passed(&mut self, now: Instant) -> [Option<String>; 3] {
        let beyond = |usage: Option<u64>, limit: Option<u64>, told: bool| {
            usage.zip(limit).filter(|(usage, limit)| usage > limit && !told).map(|(usage, _)| usage)
        };
        let memory = beyond(self.memory_used(), self.limits.memory, self.told.memory)
            .map(|bytes| format!("{} would have been reached: {bytes} are used", self.describe(Kind::Memory)));
        let pids = beyond(self.pids_used(), self.limits.pids.map(Into::into), self.told.pids)
            .map(|count| format!("{} would have been reached: there are {count}", self.describe(Kind::Pids)));
        let cpu = beyond(self.cpu_used(now), self.limits.cpu_millis.map(Into::into), self.told.cpu)
            .map(|millis| format!("{} would have been reached: {millis} are used", self.describe(Kind::CpuCount)));
        self.told.memory |= memory.is_some();
        self.told.pids |= pids.is_some();
        self.told.cpu |= cpu.is_some();
        [memory, pids, cpu]
    }

    fn memory_used(&self) -> Option<u64> {
        let (version, dir) = self.memory.as_ref()?;
        // The most that there was: a peak between two looks counts.
        number(&dir.join(match version {
            Version::V1 => "memory.max_usage_in_bytes",
            Version::V2 => "memory.peak",
        }))
        .or_else(|| number(&dir.join("memory.current")))
    }

    fn pids_used(&self) -> Option<u64> {
        number(&self.pids.as_ref()?.1.join("pids.current"))
    }

    /// Thousandths of a CPU since the last look.
    fn cpu_used(&mut self, now: Instant) -> Option<u64> {
        let (version, dir) = self.cpu.as_ref()?;
        let micros = match version {
            Version::V1 => number(&dir.join("cpuacct.usage"))? / 1000,
            Version::V2 => counter(&dir.join("cpu.stat"), "usage_usec")?,
        };
        let (then, before) = self.cpu_before.replace((now, micros))?;
        let elapsed = u64::try_from(now.duration_since(then).as_millis()).ok().filter(|millis| *millis > 0)?;
        Some(micros.saturating_sub(before) / elapsed)
    }

    /// Whether the kernel killed somebody for lack of memory since the last
    /// look.
    fn count_kills(&mut self, now: Instant) -> bool {
        let kills = self.kills();
        let grew = kills > self.killed;
        if grew {
            self.killed = kills;
            self.killed_at = Some(now);
        }
        grew
    }

    fn kills(&self) -> u64 {
        let file = |(version, dir): &(Version, PathBuf)| match version {
            Version::V1 => dir.join("memory.oom_control"),
            Version::V2 => dir.join("memory.events"),
        };
        self.memory.as_ref().and_then(|group| counter(&file(group), "oom_kill")).unwrap_or(self.killed)
    }

    /// Whether an end at this time follows from a kill for lack of memory, and
    /// what there is to tell of it.
    pub(super) fn ended(&mut self, now: Instant) -> (bool, Vec<String>) {
        let news = self.news(now);
        self.count_kills(now);
        (self.killed_at.is_some_and(|at| now.duration_since(at) < TOGETHER), news)
    }
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number behind a word, in a file of such lines.
fn counter(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(mode: LimitMode) -> ResourceLimits {
        ResourceLimits { memory: Some(1 << 20), cpu_millis: Some(500), pids: Some(7), mode }
    }

    /// A directory stands for a cgroup of version 2.
    fn group(dir: &Path, mode: LimitMode) -> Limited {
        let mut limited = Limited::new(limits(mode));
        for kind in limited.kinds() {
            limited.set(kind, Version::V2, dir.to_path_buf()).unwrap();
        }
        limited
    }

    #[test]
    fn limits_are_written_in_the_units_of_each_version() {
        for (version, expected) in [
            (Version::V1, [("memory.limit_in_bytes", "1048576"), ("cpu.cfs_quota_us", "50000"), ("pids.max", "7")]),
            (Version::V2, [("memory.max", "1048576"), ("cpu.max", "50000 100000"), ("pids.max", "7")]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let mut limited = Limited::new(limits(LimitMode::Enforce));
            for kind in limited.kinds() {
                limited.set(kind, version, dir.path().to_path_buf()).unwrap();
            }
            for (file, text) in expected {
                assert_eq!(fs::read_to_string(dir.path().join(file)).unwrap(), text, "{file}");
            }
        }
    }

    #[test]
    fn an_end_is_for_lack_of_memory_only_when_the_kernel_counted_a_kill_just_then() {
        let dir = tempfile::tempdir().unwrap();
        let count = |n: u64| fs::write(dir.path().join("memory.events"), format!("oom 9\noom_kill {n}\n")).unwrap();
        count(0);
        let mut limited = group(dir.path(), LimitMode::Enforce);
        let start = Instant::now();
        assert_eq!(limited.ended(start), (false, vec![]));
        count(1);
        let (killed, news) = limited.ended(start);
        assert!(killed && news[0].contains("1048576 bytes was reached"), "{news:?}");
        assert!(limited.news(start).is_empty(), "told twice");
        // A worker was killed long ago; the program ends now, for another reason.
        assert!(!limited.ended(start + TOGETHER).0);
    }

    #[test]
    fn observing_writes_nothing_and_tells_once_of_each_limit() {
        let dir = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| fs::write(dir.path().join(file), text).unwrap();
        let mut limited = group(dir.path(), LimitMode::Observe);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        put("memory.peak", "1048576\n");
        put("pids.current", "7\n");
        put("cpu.stat", "usage_usec 1000\n");
        let start = Instant::now();
        assert!(limited.needs_looking() && limited.news(start).is_empty(), "at the limit, not beyond it");
        put("memory.peak", "1048577\n");
        put("pids.current", "8\n");
        put("cpu.stat", "usage_usec 601000\n");
        let news = limited.news(start + Duration::from_secs(1));
        assert_eq!(news.len(), 3, "{news:?}");
        assert!(news[2].contains("600 are used"), "{news:?}");
        assert!(limited.news(start + Duration::from_secs(2)).is_empty());
    }
}
