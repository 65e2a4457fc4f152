//! The singletons of this node: one timer for all of them, armed for the first
//! whose lease will be over. Each is told when it may run and when not any
//! more; the keeper is told until when each may run, so that it can end it when
//! we do not.

use super::Roster;
use crate::instance::Seen;
use crate::io::boot_timer::BootTimer;
use crate::latest;
use crate::lease::{Confirmed, NodeLease, fence, validity};
use process_model::{InstanceId, Phase};
use runner_domain::Input;
use runner_keeper::protocol::{Fence, Request};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

/// What an instance was told, and by which channel: a successor has heard
/// nothing.
struct Told {
    seen: latest::Receiver<Seen>,
    valid: Option<bool>,
    fence: Option<Fence>,
}

/// Follows the leases until the process ends.
pub(super) async fn run(roster: Roster, lease: NodeLease) {
    if let Err(error) = follow(roster, lease).await {
        // Whatever runs is ended by the keeper, and nothing is started.
        tracing::error!(%error, "cannot watch the clock; singletons are ended when their leases are over");
    }
}

async fn follow(roster: Roster, lease: NodeLease) -> io::Result<()> {
    let timer = BootTimer::new()?;
    let mut confirmed = lease.watch();
    let mut changes = roster.changes();
    let mut told = BTreeMap::new();
    loop {
        changes.mark_unchanged();
        let now = *confirmed.borrow_and_update();
        timer.arm(tell(&roster, &mut told, now))?;
        tokio::select! {
            fired = timer.wait() => fired?,
            // Their senders are in what we hold.
            _ = changes.changed() => {}
            _ = confirmed.changed() => {}
        }
    }
}

/// Tells every singleton what it has not heard; returns when to look again.
fn tell(roster: &Roster, told: &mut BTreeMap<InstanceId, Told>, confirmed: Confirmed) -> Option<Duration> {
    let table = roster.lock();
    told.retain(|instance, _| table.entries.contains_key(instance));
    let mut next: Option<Duration> = None;
    for (instance, entry) in &table.entries {
        // What goes is a singleton until it is gone: the spec is that of what runs.
        let (running, sent) = (entry.handle.seen.borrow().assignment.spec.clone(), entry.sent.as_ref());
        let spec = sent.map_or(&running, |sent| &sent.spec);
        let Some(singleton) = spec.singleton.as_deref() else {
            if told.remove(instance).is_some_and(|told| told.fence.is_some()) {
                roster.deps.keeper.send(Request::Fence { instance: instance.to_string(), fence: None });
            }
            continue;
        };
        let heard = told.entry(instance.clone()).or_insert_with(|| Told {
            seen: entry.handle.seen.clone(),
            valid: None,
            fence: None,
        });
        if !heard.seen.same_channel(&entry.handle.seen) {
            (heard.seen, heard.valid) = (entry.handle.seen.clone(), None);
        }
        let validity = validity(confirmed, singleton);
        if let (Ok(Some(_)), Confirmed::At(sent)) = (validity, confirmed) {
            let fence = fence(sent, singleton, spec);
            if heard.fence != Some(fence) {
                heard.fence = Some(fence);
                roster.deps.keeper.send(Request::Fence { instance: instance.to_string(), fence: Some(fence) });
            }
        }
        next = next.into_iter().chain(validity.ok().flatten()).min();
        let valid = validity.is_ok();
        // Its keeper may have ended it before we saw that the lease was over, and a later confirmation came first: then
        // it knows of one that is over, and we of none. So whoever waits hears it with each confirmation.
        let waits = valid && entry.handle.seen.borrow().view.phase == Phase::Pending;
        if heard.valid != Some(valid) || waits {
            heard.valid = Some(valid);
            // A task that has ended needs to hear nothing more; the roster says so in a moment.
            let _ = entry.handle.inbox.send(Input::Lease { valid }.into());
        }
    }
    next
}
