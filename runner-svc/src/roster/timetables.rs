//! The schedules of this node: one timer for all of them, armed for the
//! earliest. Each instance is told when it is due, and when it will be.
//!
//! The plan survives the runner in the memo of the instance, which keeps what
//! it was told. A time that has come is told together with the next one, and
//! both are in the memo before anything is started: a runner that dies has
//! neither lost a run nor does the next one begin it twice. What is new here
//! goes on with the plan of the node that had it before.

use super::Roster;
use super::table::Table;
use crate::clock;
use crate::instance::{Restored, Seen};
use crate::io::wall_timer::WallTimer;
use crate::{latest, mailbox};
use process_model::{Assignment, InstanceId, Plan, ProcessSpec, Timestamp};
use runner_domain::Input;
use runner_domain::schedule::{Come, Timetable};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Keeps what the runner before had planned, if it still holds.
pub(super) fn recall(table: &mut Table, assignment: &Assignment, restored: &Restored) {
    let before = restored.before.as_deref().unwrap_or(assignment);
    // Unwanted, or wanted anew: the schedule begins with it.
    let goes_on = assignment.wanted && before.wanted && before.spec.schedule == assignment.spec.schedule;
    let own = restored.memo.next_due.map(|due| Plan { due, certain: true });
    // A runner that died before it had begun to follow it leaves what the registry said.
    let plan = own.or(assignment.plan).filter(|_| goes_on && assignment.spec.schedule.is_some());
    table.plans.extend(plan.map(|plan| (assignment.instance.clone(), plan)));
}

/// Keeps what the node before had planned.
pub(super) fn take_over(table: &mut Table, assignment: &Assignment) {
    let plan = assignment.plan.filter(|_| assignment.wanted && assignment.spec.schedule.is_some());
    table.plans.extend(plan.map(|plan| (assignment.instance.clone(), plan)));
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
                if let Some(plan) = plans.remove(instance) {
                    let (timetable, come) = Timetable::resume(schedule, plan, clock::wall(), clock::roll());
                    row.timetable = timetable;
                    row.tell(come);
                }
                rows.insert(instance.clone(), row);
            }
        }
    }
}

impl Row {
    fn look(&mut self) {
        let schedule = self.spec.schedule.as_deref();
        let come = schedule.and_then(|schedule| self.timetable.look(schedule, clock::wall(), clock::roll()));
        self.tell(come);
    }

    fn tell(&mut self, come: Option<Come>) {
        let next = self.timetable.due();
        let is_news = self.told.replace(next) != Some(next);
        let input = match come {
            Some(come) => Input::Due { come, next },
            None if is_news => Input::NextDue(next),
            None => return,
        };
        // A task that has ended needs to hear nothing more; the roster says so in a moment.
        let _ = self.inbox.send(input.into());
    }
}
