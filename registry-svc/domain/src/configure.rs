//! Settings that every replica has to agree on. In the log, because a setting
//! read from each replica's own flags would make their states differ.

use crate::audit::Subject;
use crate::command::Configure;
use crate::decided::Decided;
use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Refusal, limits};

pub(crate) fn configure(draft: &mut Draft<'_>, order: Configure) -> Result<Decided, Refusal> {
    let retention = order.event_retention.max(limits::MIN_EVENTS);
    let meta = draft.state().meta();
    if !meta.cluster_id.is_empty() && meta.event_retention == retention {
        return Ok(Decided::noted(draft));
    }
    let meta = &mut draft.touch(RowKey::Meta).meta;
    if meta.cluster_id.is_empty() {
        meta.cluster_id = order.cluster_id;
    }
    meta.event_retention = retention;
    let cluster = meta.cluster_id.clone();
    draft.trim_events();
    Ok(Decided { audit: Some(Subject::new("configure", [cluster])), ..Decided::noted(draft) })
}
