//! Answers to repeated requests: the first reply, without a second effect.
//! Only accepted requests are remembered; a refused one changed nothing and
//! may be decided anew.

use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Header, Refusal, Reply, State, limits};
use serde::{Deserialize, Serialize};

/// The reply to a request id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredReply {
    /// Number of the request's audit entry.
    pub number: u64,
    /// The request id.
    pub request_id: String,
    /// Hash of the request.
    pub fingerprint: u64,
    /// The reply.
    pub reply: Reply,
}

pub(crate) enum Found {
    Nothing,
    Reply(Reply),
    Conflict(Refusal),
}

pub(crate) fn find(state: &State, header: &Header) -> Found {
    let stored = state.reply_by_request.get(&header.request_id).and_then(|number| state.replies.get(number));
    match stored {
        None => Found::Nothing,
        Some(stored) if stored.fingerprint == header.fingerprint => Found::Reply(stored.reply.clone()),
        Some(_) => Found::Conflict(Refusal::RequestIdReused(header.request_id.clone())),
    }
}

pub(crate) fn remember(draft: &mut Draft<'_>, number: u64, reply: &Reply) {
    let Header { request_id, fingerprint, .. } = draft.header.clone();
    if request_id.is_empty() {
        return;
    }
    let stored = StoredReply { number, request_id: request_id.clone(), fingerprint, reply: reply.clone() };
    let state = draft.touch(RowKey::Reply(number));
    state.reply_by_request.insert(request_id, number);
    state.replies.insert(number, stored);
    if state.replies.len() > limits::STORED_REPLIES
        && let Some((old, dropped)) = state.replies.pop_first()
    {
        state.reply_by_request.remove(&dropped.request_id);
        draft.touch(RowKey::Reply(old));
    }
}
