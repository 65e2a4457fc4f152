//! Dependencies of the instances of this node: looks again whenever one that
//! others depend on has changed, or the registry has said something else of
//! those on other nodes, and tells an instance what it waits for when that has
//! changed. Tells the registry which lines were seen here that somebody on
//! another node waits for.
//!
//! Started with the first dependency that there is. Watches those alone that
//! somebody depends on.

mod lines_seen;

use super::table::Entry;
use super::{Roster, SeenLines};
use crate::instance::{Handle, Seen};
use crate::latest;
use lines_seen::LinesSeen;
use process_model::spec::{Condition, Dependency};
use process_model::{Elsewhere, InstanceId, ProcessName};
use runner_domain::Input;
use runner_domain::dependency::{Peer, waiting};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// An instance that depends on others, or that others depend on.
struct Member {
    instance: InstanceId,
    handle: Handle,
    seen: Seen,
}

/// What a look begins with: all of one moment.
struct Picture {
    /// Those that depend on others and those that others depend on.
    members: Vec<Member>,
    /// The latter by process, with the lines that they are to write.
    needed: BTreeMap<ProcessName, BTreeSet<String>>,
    /// Of those, the lines that somebody on another node waits for.
    watched: BTreeMap<ProcessName, BTreeSet<String>>,
    /// What is known of other nodes.
    elsewhere: BTreeMap<Dependency, Elsewhere>,
}

struct Waits {
    log_dir: PathBuf,
    /// Somebody that others depend on has changed.
    wake: Arc<Notify>,
    watched: BTreeMap<InstanceId, Watched>,
    lines: LinesSeen,
    /// What each was told, and by which channel: a successor has heard nothing.
    told: BTreeMap<InstanceId, (latest::Receiver<Seen>, Option<String>)>,
}

/// A watch on an instance; ends when it is dropped.
struct Watched {
    seen: latest::Receiver<Seen>,
    task: AbortHandle,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Follows the dependencies until the process ends.
pub(super) async fn run(roster: Roster) {
    let wake = Arc::new(Notify::new());
    let mut waits = Waits {
        log_dir: roster.deps.surroundings.log_dir.clone(),
        lines: LinesSeen::new(wake.clone()),
        wake,
        watched: BTreeMap::new(),
        told: BTreeMap::new(),
    };
    let mut changes = roster.changes();
    loop {
        changes.mark_unchanged();
        // Nothing is started any more once everything is taken down.
        if !roster.is_held() {
            waits.look(&roster);
        }
        tokio::select! {
            () = waits.wake.notified() => {}
            // Its sender is in the roster that we hold.
            _ = changes.changed() => {}
        }
    }
}

/// Whom `entry` depends on, by the newest that it was sent.
fn needs(entry: &Entry) -> impl Iterator<Item = (ProcessName, Condition)> {
    let sent = entry.sent.as_ref().map(|assignment| assignment.spec.clone());
    let needs = sent.map(|spec| spec.depends_on.clone()).unwrap_or_default();
    needs.into_iter().map(|dependency| (dependency.process, dependency.condition))
}

impl Waits {
    fn look(&mut self, roster: &Roster) {
        let Picture { members, needed, watched, elsewhere } = Self::picture(roster);
        self.watch(&members, &needed);
        let patterns = |process: &ProcessName| needed.get(process).into_iter().flatten().map(String::as_str);
        self.lines.follow(&self.log_dir, members.iter().map(|m| (&m.instance, &m.seen)), patterns);
        let peers: Vec<Peer<'_>> = members
            .iter()
            .map(|m| Peer { instance: &m.instance, spec: &m.seen.assignment.spec, view: &m.seen.view })
            .collect();
        let waiting = waiting(&peers, |instance, pattern| self.lines.has(instance, pattern), &elsewhere);
        let watched = |instance: &InstanceId| watched.get(&instance.process);
        let seen = members.iter().filter_map(|m| self.lines.seen(&m.instance, watched(&m.instance)?));
        let seen: SeenLines = seen.collect();
        roster.lines.send_if_modified(|before| (*before != seen).then(|| *before = seen).is_some());
        self.told.retain(|instance, _| members.iter().any(|m| m.instance == *instance));
        for member in &members {
            let waits_for = match waiting.get(&member.instance) {
                Some(waits_for) => waits_for.clone(),
                // It had dependencies when it was told, and has none now.
                None if self.told.contains_key(&member.instance) => None,
                None => continue,
            };
            let seen = &member.handle.seen;
            let is_known =
                |told: &(latest::Receiver<Seen>, Option<String>)| told.0.same_channel(seen) && told.1 == waits_for;
            if !self.told.get(&member.instance).is_some_and(is_known) {
                self.told.insert(member.instance.clone(), (seen.clone(), waits_for.clone()));
                // A task that has ended needs to hear nothing more; the roster says so in a moment.
                let _ = member.handle.inbox.send(Input::Dependencies { waiting_for: waits_for }.into());
            }
        }
    }

    fn picture(roster: &Roster) -> Picture {
        let table = roster.lock();
        let mut needed = table.watched.clone();
        for (process, condition) in table.entries.values().flat_map(needs) {
            let patterns = needed.entry(process).or_default();
            if let Condition::Log(pattern) = condition {
                patterns.insert(pattern);
            }
        }
        let depends = |entry: &Entry| entry.sent.as_ref().is_some_and(|sent| !sent.spec.depends_on.is_empty());
        let members = table
            .entries
            .iter()
            .filter(|(instance, entry)| depends(entry) || needed.contains_key(&instance.process))
            .map(|(instance, entry)| {
                let mut seen = entry.handle.seen.borrow().clone();
                if let Some(sent) = &entry.sent {
                    // What it is to follow, though it may not have taken it in.
                    seen.assignment = sent.clone();
                }
                Member { instance: instance.clone(), handle: entry.handle.clone(), seen }
            })
            .collect();
        Picture { members, needed, watched: table.watched.clone(), elsewhere: table.elsewhere.clone() }
    }

    fn watch(&mut self, members: &[Member], needed: &BTreeMap<ProcessName, BTreeSet<String>>) {
        let is_needed = |instance: &InstanceId| needed.contains_key(&instance.process);
        let mut before = std::mem::take(&mut self.watched);
        for member in members.iter().filter(|m| is_needed(&m.instance)) {
            let kept = before.remove(&member.instance).filter(|w| w.seen.same_channel(&member.handle.seen));
            let watched = kept.unwrap_or_else(|| {
                let (mut seen, wake) = (member.handle.seen.clone(), self.wake.clone());
                // What it is now was looked at, or is looked at once more: both are right.
                let task = tokio::spawn(async move {
                    while seen.changed().await.is_ok() {
                        wake.notify_one();
                    }
                });
                // Looked at again: it may have changed between the look and the watch.
                self.wake.notify_one();
                Watched { seen: member.handle.seen.clone(), task: task.abort_handle() }
            });
            self.watched.insert(member.instance.clone(), watched);
        }
    }
}
