//! Answers to repeated requests: the first reply, without a second effect.
//! Only accepted requests are remembered; a refused one changed nothing and
//! may be decided anew. How long: a client repeats for seconds after it lost
//! a leader, a person or a script for minutes; see [`limits`].

use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Header, Refusal, Reply, State, limits};
use process_model::Timestamp;
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
    /// When the leader took the request in.
    #[serde(default)]
    pub time: Timestamp,
}

pub(crate) enum Found {
    Nothing,
    Reply(Reply),
    Conflict(Refusal),
}

pub(crate) fn find(state: &State, header: &Header) -> Found {
    if header.request_id.is_empty() {
        return Found::Nothing;
    }
    let hash = hash(&header.request_id);
    let stored = (state.reply_by_request.range((hash, 0)..=(hash, u64::MAX)))
        .filter_map(|(_, number)| state.replies.get(*number))
        .find(|stored| stored.request_id == header.request_id);
    match stored {
        None => Found::Nothing,
        Some(stored) if stored.fingerprint == header.fingerprint => Found::Reply(stored.reply.clone()),
        Some(_) => Found::Conflict(Refusal::RequestIdReused(header.request_id.clone())),
    }
}

pub(crate) fn remember(draft: &mut Draft<'_>, number: u64, reply: &Reply) {
    let Header { ref request_id, fingerprint, time, .. } = draft.header;
    if !request_id.is_empty() {
        let request_id = request_id.clone();
        let stored = StoredReply { number, request_id, fingerprint, reply: reply.clone(), time };
        draft.touch(RowKey::Reply(number)).put_reply(stored.into());
    }
    forget(draft, time);
}

/// Forgets the oldest replies that are too many or too old; of many, some with
/// each command, so that none of them is slow.
fn forget(draft: &mut Draft<'_>, now: Timestamp) {
    for _ in 0..limits::REPLIES_FORGOTTEN {
        let replies = &draft.state().replies;
        let (count, Some((number, oldest))) = (replies.len(), replies.first()) else { return };
        let too_old = oldest.time.plus(limits::REPLIES_KEPT_FOR) < now && count > limits::REPLIES_KEPT;
        if !too_old && count <= limits::STORED_REPLIES {
            return;
        }
        draft.touch(RowKey::Reply(number)).remove_reply(number);
    }
}

/// Where a request id stands in the index: FNV-1a, so that the index takes 16
/// bytes and not the id once more. Ids with one hash stand side by side.
pub(crate) fn hash(request_id: &str) -> u64 {
    request_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
