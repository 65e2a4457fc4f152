//! Who listens for what. A bell says from which revision on its watcher has to
//! look, so that one who is seldom concerned does not look through what lies
//! between.

use super::{Feed, Interest, Subject, Told};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// One watcher's bell.
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// First revision that concerns the watcher since it last looked; 0: none.
    since: AtomicU64,
    rung: Notify,
}

impl Bell {
    /// This revision concerns the watcher; `true` when it had to be woken.
    pub(super) fn ring(&self, revision: u64) -> bool {
        let first = self.since.compare_exchange(0, revision, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if first {
            self.rung.notify_one();
        }
        first
    }
}

type ByNumber = BTreeMap<u64, Arc<Bell>>;
/// Bells, each with the first revision that it is rung for.
type Rung = Vec<(Arc<Bell>, u64)>;

/// All bells.
#[derive(Debug, Default)]
pub(super) struct Bells(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    hung: u64,
    count: usize,
    everything: ByNumber,
    of: HashMap<Subject, ByNumber>,
}

impl Bells {
    /// Whom these events concern.
    pub(super) fn of(&self, told: &[Arc<Told>]) -> Rung {
        let table = self.lock();
        let first = told.first().map_or(0, |told| told.event.revision);
        let mut rung: Rung = table.everything.values().map(|bell| (bell.clone(), first)).collect();
        if !table.of.is_empty() {
            for event in told.iter().map(|told| &told.event) {
                let hung = Subject::of(event).filter_map(|subject| table.of.get(&subject));
                rung.extend(hung.flat_map(BTreeMap::values).map(|bell| (bell.clone(), event.revision)));
            }
        }
        rung
    }

    /// Everybody.
    pub(super) fn all(&self, revision: u64) -> Rung {
        let table = self.lock();
        let bells = table.everything.values().chain(table.of.values().flat_map(BTreeMap::values));
        bells.map(|bell| (bell.clone(), revision)).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.lock().count
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn hang(&mut self, bell: &Arc<Bell>, interest: &Interest) -> u64 {
        (self.hung, self.count) = (self.hung + 1, self.count + 1);
        match interest {
            Interest::Everything => drop(self.everything.insert(self.hung, bell.clone())),
            Interest::Of(subjects) => {
                for subject in subjects {
                    self.of.entry(subject.clone()).or_default().insert(self.hung, bell.clone());
                }
            }
        }
        self.hung
    }

    fn take_down(&mut self, number: u64, interest: &Interest) {
        self.count -= 1;
        match interest {
            Interest::Everything => drop(self.everything.remove(&number)),
            Interest::Of(subjects) => {
                for subject in subjects {
                    if let Some(bells) = self.of.get_mut(subject) {
                        bells.remove(&number);
                        if bells.is_empty() {
                            self.of.remove(subject);
                        }
                    }
                }
            }
        }
    }
}

/// A watcher's place among those who listen; leaves it when dropped.
#[derive(Debug)]
pub struct Listener {
    feed: Arc<Feed>,
    bell: Arc<Bell>,
    number: u64,
    interest: Interest,
}

impl Listener {
    pub(super) fn new(feed: Arc<Feed>, interest: &Interest) -> Self {
        let bell = Arc::new(Bell::default());
        let number = feed.bells.lock().hang(&bell, interest);
        Self { feed, bell, number, interest: interest.clone() }
    }

    /// Waits until something may concern the watcher.
    pub async fn rung(&self) {
        self.bell.rung.notified().await;
    }

    /// The first revision that concerns the watcher since it last asked.
    #[must_use]
    pub fn take(&self) -> Option<u64> {
        Some(self.bell.since.swap(0, Ordering::AcqRel)).filter(|revision| *revision != 0)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.feed.bells.lock().take_down(self.number, &self.interest);
    }
}
