//! When a snapshot is taken and what of the log goes then. By bytes, not by
//! entries: an entry may be a hundred bytes or a megabyte, and what is to be
//! bounded is the disk and the time of a restart.

use super::Conductor;
use crate::settings::Settings;
use std::collections::VecDeque;

/// The log is looked at in steps of at most so many bytes.
const GRAIN: u64 = 64 << 10;

/// When, and up to where.
pub(crate) struct SnapshotPolicy {
    after: u64,
    keep: u64,
    grain: u64,
    /// Index of the last entry at each step of bytes appended.
    steps: VecDeque<(u64, u64)>,
    /// Bytes appended when the newest snapshot was asked for.
    since: u64,
    /// The snapshot that was asked for and is not there yet: its place must be above this.
    waits: Option<Option<u64>>,
    now: bool,
}

impl SnapshotPolicy {
    pub(crate) fn new(settings: &Settings, backlog: u64) -> Self {
        // What was in the log when it was opened counts: a replica that restarts often would never take one.
        let now = backlog > settings.snapshot_after;
        let (after, keep) = (settings.snapshot_after, settings.keep);
        Self { after, keep, grain: GRAIN.min(keep / 4), steps: VecDeque::new(), since: 0, waits: None, now }
    }

    /// A snapshot is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.waits.is_some()
    }

    /// The disk has little room: what can go should go.
    pub(super) fn want_now(&mut self) {
        self.now = true;
    }

    fn note(&mut self, appended: u64, last: Option<u64>) {
        let Some(last) = last else { return };
        if self.steps.back().is_none_or(|(bytes, _)| appended >= bytes + self.grain.max(1)) {
            self.steps.push_back((appended, last));
        }
    }

    fn due(&self, appended: u64, size: u64) -> bool {
        self.waits.is_none() && (self.now || appended.saturating_sub(self.since) >= self.after.max(size))
    }

    /// Up to where the log may go, now that a snapshot up to `snapshot` is there.
    fn purge(&mut self, appended: u64, snapshot: u64) -> Option<u64> {
        // Everything from before this process is behind its first step, which the snapshot may not reach yet.
        let mut upto = self.now.then_some(snapshot);
        while let Some((bytes, last)) = self.steps.front().copied() {
            if last > snapshot || !self.now && bytes + self.keep > appended {
                break;
            }
            upto = upto.max(Some(last));
            self.steps.pop_front();
        }
        upto
    }
}

impl Conductor {
    /// Takes a snapshot when it is time, and purges when one is there.
    pub(super) fn snapshots(&mut self) {
        let inner = self.inner.clone();
        let appended = inner.edge.appended();
        let data = inner.raft.data_metrics();
        let (last, snapshot) = {
            let data = data.borrow();
            (data.last_log.map(|id| id.index), data.snapshot.map(|id| id.index))
        };
        self.policy.note(appended, last);
        if let Some(before) = self.policy.waits
            && snapshot > before
            && let Some(snapshot) = snapshot
        {
            self.policy.waits = None;
            if let Some(upto) = self.policy.purge(appended, snapshot) {
                tokio::spawn(async move {
                    // Fails only when the engine has ended.
                    let _ = inner.raft.trigger().purge_log(upto).await;
                });
            }
            self.policy.now = false;
            return;
        }
        if self.policy.due(appended, inner.snapshot_size()) && inner.applied_index() > snapshot {
            self.policy.waits = Some(snapshot);
            self.policy.since = appended;
            tokio::spawn(async move {
                let _ = inner.raft.trigger().snapshot().await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_after_its_bytes_and_the_newest_log_is_kept() {
        let settings = Settings { snapshot_after: 10 * GRAIN, keep: 4 * GRAIN, ..Settings::new(1) };
        let mut policy = SnapshotPolicy::new(&settings, 0);
        for step in 1..=10 {
            policy.note(step * GRAIN, Some(step * 100));
            assert_eq!(policy.due(step * GRAIN, 0), step == 10, "step {step}");
        }
        assert!(!policy.due(10 * GRAIN, 20 * GRAIN), "a large snapshot is not taken again for a little log");
        assert_eq!(policy.purge(10 * GRAIN, 1_000), Some(600));
        assert_eq!(policy.purge(10 * GRAIN, 1_000), None);
        policy.want_now();
        assert!(policy.due(10 * GRAIN, 20 * GRAIN));
        assert_eq!(policy.purge(10 * GRAIN, 900), Some(900), "never beyond the snapshot");
    }

    #[test]
    fn a_long_log_from_before_asks_for_a_snapshot_at_once() {
        let settings = Settings { snapshot_after: 10, ..Settings::new(1) };
        let mut policy = SnapshotPolicy::new(&settings, 11);
        policy.note(0, Some(900));
        assert!(policy.due(0, 0));
        assert_eq!(policy.purge(0, 700), Some(700), "though the end of the log is not applied yet");
        assert!(!SnapshotPolicy::new(&settings, 9).due(0, 0));
    }
}
