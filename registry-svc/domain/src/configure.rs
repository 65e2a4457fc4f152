//! Settings that every replica has to agree on. In the log, because a setting
//! read from each replica's own flags would make their states differ.

use crate::audit::Subject;
use crate::command::Configure;
use crate::decided::Decided;
use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Refusal, Retention, history, limits};

pub(crate) fn configure(draft: &mut Draft<'_>, order: &Configure) -> Result<Decided, Refusal> {
    let retention = order.event_retention.max(limits::MIN_EVENTS);
    let meta = draft.state().meta();
    let policy = order.retention.clone().map_or_else(|| meta.retention.clone(), Retention::within_bounds);
    if !meta.cluster_id.is_empty() && meta.event_retention == retention && meta.retention == policy {
        return Ok(Decided::noted(draft));
    }
    let meta = &mut draft.touch(RowKey::Meta).meta;
    if meta.cluster_id.is_empty() {
        meta.cluster_id.clone_from(&order.cluster_id);
    }
    meta.event_retention = retention;
    let note = note(retention, &policy);
    meta.retention = policy;
    let cluster = meta.cluster_id.clone();
    draft.trim_events();
    history::bound_all(draft);
    let subject = Subject { note, ..Subject::new("configure", [cluster]) };
    Ok(Decided { audit: Some(subject), ..Decided::noted(draft) })
}

/// What is kept from now on: who shortens the audit log stands in it.
fn note(events: u64, retention: &Retention) -> String {
    let Retention { audit_entries, audit_age, generations } = retention;
    let age = audit_age.map_or_else(|| "of any age".to_owned(), |age| format!("of at most {} s", age.as_secs()));
    format!("keeps {events} events, {audit_entries} audit entries {age}, {generations} generations of a process")
}
