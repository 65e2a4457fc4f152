//! Lines of output that instances on one node wait for and instances on another
//! one write: who asks for which, and what was seen. In the memory of whoever
//! leads: a new leader is asked, and asks, anew.
//!
//! ```text
//! session of web's node ── asks: (db, "listening") ──▶ desk ──▶ session of db's node: watch
//!            ▲── changed ───────────────────────────── desk ◀── seen in the run that began then
//! ```

use process_model::{InstanceId, ProcessName, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Lines of one instance: nobody can ask for more.
const LINES: usize = 1_000;
/// Instances of which something is kept that nobody asks for any more: some
/// that have gone with their node.
const INSTANCES: usize = 10_000;

/// Lines by the process that is to write them.
pub(crate) type Lines = BTreeMap<ProcessName, BTreeSet<String>>;

/// Who asks for which lines, and which were seen; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct LineDesk {
    table: Arc<Mutex<Table>>,
    /// Changes with what is asked for by anybody, and with what was seen.
    changed: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Table {
    /// How many ask for each line.
    asked: BTreeMap<ProcessName, BTreeMap<String, usize>>,
    /// What was seen in a run.
    seen: BTreeMap<InstanceId, (Timestamp, BTreeSet<String>)>,
}

impl Table {
    /// One more asks for it; true when nobody did.
    fn ask(&mut self, process: &ProcessName, pattern: &str) -> bool {
        let askers = self.asked.entry(process.clone()).or_default().entry(pattern.to_owned()).or_default();
        *askers += 1;
        *askers == 1
    }

    /// One less asks for it; true when nobody does any more.
    fn forgo(&mut self, process: &ProcessName, pattern: &str) -> bool {
        let Some(patterns) = self.asked.get_mut(process) else { return false };
        let Some(askers) = patterns.get_mut(pattern) else { return false };
        *askers -= 1;
        if *askers > 0 {
            return false;
        }
        patterns.remove(pattern);
        if patterns.is_empty() {
            self.asked.remove(process);
        }
        // What was seen stays: who asks again in a moment may not be told again. Its node takes it back.
        true
    }
}

impl LineDesk {
    fn lock(&self) -> MutexGuard<'_, Table> {
        // Sets and counts are whole after a panic, too.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes with what is asked for by anybody, and with what was seen.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn tell(&self) {
        self.changed.send_modify(|n| *n += 1);
    }

    /// Somebody who asks for nothing yet.
    pub(crate) fn asker(&self) -> Asker {
        Asker { desk: self.clone(), asks: BTreeSet::new() }
    }

    /// What is asked for of the processes that `has` says yes to.
    pub(crate) fn asked(&self, has: impl Fn(&ProcessName) -> bool) -> Lines {
        let table = self.lock();
        let asked = table.asked.iter().filter(|(process, _)| has(process));
        asked.map(|(process, patterns)| (process.clone(), patterns.keys().cloned().collect())).collect()
    }

    /// An instance has written these, and none of the others, in the run that
    /// began then.
    pub(crate) fn saw(&self, instance: &InstanceId, started: Timestamp, patterns: impl Iterator<Item = String>) {
        let is_news = {
            let table = &mut *self.lock();
            let seen: BTreeSet<String> = patterns.take(LINES).collect();
            if table.seen.len() >= INSTANCES {
                let asked = &table.asked;
                table.seen.retain(|instance, _| asked.contains_key(&instance.process));
            }
            let news = (started, seen);
            let is_news = table.seen.get(instance) != Some(&news);
            if news.1.is_empty() {
                table.seen.remove(instance).is_some()
            } else {
                table.seen.insert(instance.clone(), news);
                is_news
            }
        };
        if is_news {
            self.tell();
        }
    }

    /// Whether it has, in that run.
    pub(crate) fn has(&self, instance: &InstanceId, started: Option<Timestamp>, pattern: &str) -> bool {
        let table = self.lock();
        table.seen.get(instance).is_some_and(|(run, seen)| Some(*run) == started && seen.contains(pattern))
    }
}

/// Who asks for lines; asks for nothing any more once it is dropped.
#[derive(Debug)]
pub(crate) struct Asker {
    desk: LineDesk,
    asks: BTreeSet<(ProcessName, String)>,
}

impl Asker {
    /// Asks for these, and nothing else.
    pub(crate) fn ask(&mut self, asks: BTreeSet<(ProcessName, String)>) {
        if asks == self.asks {
            return;
        }
        let before = std::mem::replace(&mut self.asks, asks);
        let changed = {
            let mut table = self.desk.lock();
            let new = self.asks.difference(&before).filter(|(process, pattern)| table.ask(process, pattern)).count();
            let old = before.difference(&self.asks).filter(|(process, pattern)| table.forgo(process, pattern)).count();
            new + old
        };
        if changed > 0 {
            self.desk.tell();
        }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.ask(BTreeSet::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(process: &str, pattern: &str) -> (ProcessName, String) {
        (process.parse().unwrap(), pattern.to_owned())
    }

    #[test]
    fn a_line_is_asked_for_as_long_as_anybody_asks_and_counts_in_its_run_alone() {
        let desk = LineDesk::default();
        let (mut one, mut other, changes) = (desk.asker(), desk.asker(), desk.changes());
        one.ask([line("db", "up"), line("db", "ready")].into());
        let told = *changes.borrow();
        other.ask([line("db", "up")].into());
        assert_eq!(*changes.borrow(), told, "it was asked for already");
        assert_eq!(desk.asked(|_| true).values().map(BTreeSet::len).sum::<usize>(), 2);
        assert!(desk.asked(|process| process.as_str() == "web").is_empty());

        let (db, run) = ("db-1".parse().unwrap(), Timestamp(7));
        desk.saw(&db, run, std::iter::once("up".to_owned()));
        assert!(*changes.borrow() > told);
        assert!(desk.has(&db, Some(run), "up") && !desk.has(&db, Some(run), "ready"));
        assert!(!desk.has(&db, Some(Timestamp(8)), "up") && !desk.has(&db, None, "up"), "another run");
        let told = *changes.borrow();
        desk.saw(&db, run, std::iter::once("up".to_owned()));
        assert_eq!(*changes.borrow(), told, "known");

        drop(one);
        assert_eq!(desk.asked(|_| true).values().map(BTreeSet::len).sum::<usize>(), 1, "the other one asks still");
        drop(other);
        assert!(desk.asked(|_| true).is_empty());
        let mut again = desk.asker();
        again.ask([line("db", "up")].into());
        assert!(desk.has(&db, Some(run), "up"), "it was seen, and nobody would say so again");
        desk.saw(&db, run, std::iter::empty());
        assert!(!desk.has(&db, Some(run), "up"), "taken back");
    }
}
