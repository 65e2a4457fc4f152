//! What each topic hands back to `step`.

use crate::audit;
use crate::draft::Draft;
use crate::reply::Reply;

/// What a topic decided: its reply, and what the audit log says of it.
pub(crate) struct Decided {
    pub(crate) reply: Reply,
    /// `None`: a fact, not a request. Facts are events and need no second
    /// record; see `audit`.
    pub(crate) audit: Option<audit::Subject>,
}

impl Decided {
    /// A fact was taken in.
    pub(crate) fn noted(draft: &Draft<'_>) -> Self {
        Self { reply: Reply::Noted { revision: draft.state().revision() }, audit: None }
    }
}
