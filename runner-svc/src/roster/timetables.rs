//! The schedules of this node: one timer for all of them, armed for the
//! earliest. Each instance is told when it is due, and when it will be.
//!
//! The plan survives the runner in the memo of the instance, which keeps what
//! `NextDue` said. That is said before `Due`: a runner that dies in between has
//! lost a run rather than done it twice.

use super::Roster;
use super::table::Table;
use crate::clock;
use crate::instance::{Restored, Seen};
use crate::io::wall_timer::WallTimer;
use crate::{latest, mailbox};
use process_model::{Assignment, InstanceId, ProcessSpec, Timestamp};
use runner_domain::Input;
use runner_domain::schedule::Timetable;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Keeps what the runner before had planned, if it still holds.
pub(super) fn recall(table: &mut Table, assignment: &Assignment, restored: &Restored) {
    let before = restored.before.as_deref().unwrap_or(assignment);
    // Unwanted, or wanted anew: the schedule begins with it.
    let goes_on = assignment.wanted && before.wanted && before.spec.schedule == assignment.spec.schedule;
    if let Some(due) = restored.memo.next_due.filter(|_| goes_on && assignment.spec.schedule.is_some()) {
        table.plans.insert(assignment.instance.clone(), due);
    }
}

/// One instance that follows a schedule.
struct Row {
    spec: Arc<ProcessSpec>,
    timetable: Timetable,
    /// What it was told last.
    told: Option<Option<Timestamp>>,
    inbox: mailbox::Sender<crate::instance::Message>,
    seen: latest::Receiver<Seen>,
}

/// Follows the schedules until the process ends.
pub(super) async fn run(roster: Roster) {
    if let Err(error) = follow(roster).await {
        tracing::error!(%error, "cannot watch the clock; nothing is run on schedule any more");
    }
}

async fn follow(roster: Roster) -> io::Result<()> {
    let timer = WallTimer::new()?;
    let mut rows = BTreeMap::new();
    let mut changes = roster.changes();
    loop {
        changes.mark_unchanged();
        update(&roster, &mut rows);
        if !roster.is_held() {
            rows.values_mut().for_each(Row::look);
        }
        let first = rows.values().filter_map(|row| row.timetable.due()).min();
        if !timer.arm(first)? {
            // The clock was set just now: look at it again, with the news read.
            timer.wait().await?;
            continue;
        }
        tokio::select! {
            fired = timer.wait() => fired?,
            // Its sender is in the roster that we hold.
            _ = changes.changed() => {}
        }
    }
}

/// Takes in which instances have a schedule to follow now.
fn update(roster: &Roster, rows: &mut BTreeMap<InstanceId, Row>) {
    let mut table = roster.lock();
    let Table { entries, plans, .. } = &mut *table;
    rows.retain(|instance, row| {
        entries.get(instance).is_some_and(|entry| entry.is_wanted() && entry.handle.seen.same_channel(&row.seen))
    });
    for (instance, entry) in entries.iter().filter(|(_, entry)| entry.is_wanted()) {
        let Some((spec, schedule)) =
            entry.sent.as_ref().and_then(|sent| Some((&sent.spec, sent.spec.schedule.as_deref()?)))
        else {
            rows.remove(instance);
            continue;
        };
        match rows.get_mut(instance) {
            Some(row) if row.spec.schedule == spec.schedule => {}
            Some(row) => {
                row.spec = spec.clone();
                row.timetable = Timetable::begin(schedule, clock::wall(), clock::roll());
            }
            None => {
                let mut row = Row {
                    spec: spec.clone(),
                    timetable: Timetable::begin(schedule, clock::wall(), clock::roll()),
                    told: None,
                    inbox: entry.handle.inbox.clone(),
                    seen: entry.handle.seen.clone(),
                };
                if let Some(due) = plans.remove(instance) {
                    let (timetable, is_due) = Timetable::resume(schedule, due, clock::wall(), clock::roll());
                    row.timetable = timetable;
                    row.tell(is_due);
                }
                rows.insert(instance.clone(), row);
            }
        }
    }
}

impl Row {
    fn look(&mut self) {
        let is_due = match self.spec.schedule.as_deref() {
            Some(schedule) => self.timetable.look(schedule, clock::wall(), clock::roll()),
            None => false,
        };
        self.tell(is_due);
    }

    fn tell(&mut self, is_due: bool) {
        let due = self.timetable.due();
        // A task that has ended needs to hear nothing more; the roster says so in a moment.
        if self.told != Some(due) {
            self.told = Some(due);
            let _ = self.inbox.send(Input::NextDue(due).into());
        }
        if is_due {
            let _ = self.inbox.send(Input::Due.into());
        }
    }
}
