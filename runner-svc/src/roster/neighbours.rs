//! What the registry says of other nodes: how what is depended on stands there,
//! which stops wait for others there, which lines others there wait for. The
//! first is kept on disk: a runner that is cut off goes on by it.
//!
//! A stop is held as the stops of one node are, by withholding it. It goes on
//! when the registry says so, and in any case after the time that it gave: a
//! runner that is cut off does not wait for ever.

use super::Roster;
use super::table::Table;
use process_model::spec::Dependency;
use process_model::{Elsewhere, InstanceId, ProcessName, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;

/// Lines that were seen in the run of an instance that began then.
pub(crate) type SeenLines = BTreeMap<InstanceId, (Timestamp, BTreeSet<String>)>;

/// What the registry says of other nodes at one moment.
#[derive(Debug, Default)]
pub(crate) struct NeighbourNews {
    /// Whether `set` is all that there is to say.
    pub(crate) full: bool,
    pub(crate) set: Vec<(Dependency, Elsewhere)>,
    /// All stops that wait, and for how long at most.
    pub(crate) held: BTreeMap<InstanceId, Duration>,
    /// All lines that others wait for.
    pub(crate) watched: BTreeMap<ProcessName, BTreeSet<String>>,
}

/// A stop that is held for the first time.
#[derive(Debug)]
pub(super) struct Held {
    instance: InstanceId,
    time: u64,
    longest: Duration,
}

impl Table {
    /// Holds those of the stops back that wait for others on other nodes.
    pub(super) fn hold_back(&mut self, stops: &BTreeSet<InstanceId>) -> Vec<Held> {
        let mut held = Vec::new();
        for instance in stops {
            if let (Some(longest), Some(entry)) = (self.held.get(instance), self.entries.get_mut(instance)) {
                self.holds += 1;
                entry.hold(self.holds);
                held.push(Held { instance: instance.clone(), time: self.holds, longest: *longest });
            }
        }
        held
    }
}

impl Roster {
    /// What was last known of other nodes, by the journal.
    pub(crate) fn recall(&self, elsewhere: BTreeMap<Dependency, Elsewhere>) {
        self.lock().elsewhere = elsewhere;
    }

    /// What the registry says of other nodes now.
    pub(crate) fn hear(&self, news: NeighbourNews) {
        let mut table = self.lock();
        if news.full {
            table.elsewhere.clear();
        }
        table.elsewhere.extend(news.set);
        self.deps.journal.heard(&table.elsewhere);
        if !news.watched.is_empty() {
            self.follow_dependencies();
        }
        table.watched = news.watched;
        table.held = news.held;
        let Table { entries, held, .. } = &mut *table;
        for (instance, entry) in entries {
            if entry.held.is_some() && !held.contains_key(instance) {
                entry.let_go();
            }
        }
        drop(table);
        self.changed();
    }

    /// Sees to it that these are stopped when their time is over.
    pub(super) fn bound(&self, holds: Vec<Held>) {
        for Held { instance, time, longest } in holds {
            tracing::info!(%instance, ?longest, "its stop waits for others, on other nodes, that depend on it");
            let roster = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(longest).await;
                let mut table = roster.lock();
                if let Some(entry) = table.entries.get_mut(&instance).filter(|entry| entry.held == Some(time)) {
                    tracing::warn!(%instance, "those on other nodes that depend on it have not ended in time; stopping it");
                    entry.let_go();
                }
            });
        }
    }

    /// Lines that were seen of those that others, on other nodes, wait for.
    pub(crate) fn lines(&self) -> watch::Receiver<SeenLines> {
        self.lines.subscribe()
    }
}
