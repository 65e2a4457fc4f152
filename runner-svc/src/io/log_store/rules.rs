//! Which log files go: those that were kept long enough, and where there are
//! too many bytes the oldest ones, first of those that were rotated away, then
//! of those whose writer has ended. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

/// A log file with its index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The process, whose quota it counts to.
    pub(crate) process: String,
    /// What is kept by the same rules: one output of one instance.
    pub(crate) output: String,
    pub(crate) state: State,
    /// Of all its parts, on the disk.
    pub(crate) bytes: u64,
    /// When its index was made, in nanoseconds since 1970: newer rules win.
    pub(crate) made: i64,
    pub(crate) retention: Option<Duration>,
    pub(crate) quota: Option<u64>,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is written to, or may be.
    Active,
    /// Its writer closed it at this time (nanoseconds since 1970).
    Closed(i64),
    /// It was rotated away at this time.
    Rotated(i64),
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Positions of those that go, in the order of deletion.
    pub(crate) gone: Vec<usize>,
    /// When the next one's time is over, in nanoseconds since 1970.
    pub(crate) next: Option<i64>,
}

/// Judges all files of a node.
pub(crate) fn judge(files: &[Kept], node_quota: Option<u64>, now: i64) -> Verdict {
    let mut verdict = Verdict::default();
    let mut gone = vec![false; files.len()];
    let mut newest: BTreeMap<&str, &Kept> = BTreeMap::new();
    let mut quotas: BTreeMap<&str, (i64, Option<u64>)> = BTreeMap::new();
    for file in files {
        let rules = newest.entry(&file.output).or_insert(file);
        if file.made > rules.made {
            *rules = file;
        }
        let quota = quotas.entry(&file.process).or_insert((file.made, file.quota));
        if file.made > quota.0 {
            *quota = (file.made, file.quota);
        }
    }
    for (i, file) in files.iter().enumerate() {
        let retention = newest.get(file.output.as_str()).and_then(|rules| rules.retention);
        let since = match file.state {
            State::Active => continue,
            State::Closed(at) | State::Rotated(at) => at,
        };
        let Some(retention) = retention else { continue };
        let due = since.saturating_add(i64::try_from(retention.as_nanos()).unwrap_or(i64::MAX));
        if due <= now {
            if let Some(gone) = gone.get_mut(i) {
                *gone = true;
            }
            verdict.gone.push(i);
        } else {
            verdict.next = Some(verdict.next.map_or(due, |next| next.min(due)));
        }
    }
    // The oldest first; never one that is written to.
    let mut spare: Vec<(bool, i64, usize)> = files
        .iter()
        .enumerate()
        .filter_map(|(i, file)| match file.state {
            State::Rotated(at) => Some((false, at, i)),
            State::Closed(at) => Some((true, at, i)),
            State::Active => None,
        })
        .collect();
    spare.sort_unstable();
    let mut enforce = |quota: u64, of: &dyn Fn(&Kept) -> bool| {
        let counted = files.iter().enumerate().filter(|(i, file)| of(file) && !gone.get(*i).copied().unwrap_or(true));
        let mut bytes: u64 = counted.map(|(_, file)| file.bytes).sum();
        for (_, _, i) in &spare {
            let (Some(file), Some(gone)) = (files.get(*i), gone.get_mut(*i)) else { continue };
            if bytes > quota && of(file) && !*gone {
                *gone = true;
                bytes -= file.bytes;
                verdict.gone.push(*i);
            }
        }
    };
    for (process, (_, quota)) in &quotas {
        if let Some(quota) = quota {
            enforce(*quota, &|file| file.process == *process);
        }
    }
    if let Some(quota) = node_quota {
        enforce(quota, &|_| true);
    }
    verdict
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
