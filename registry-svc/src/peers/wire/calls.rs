//! Calls. Entry bytes are shared, never copied here.

use super::Malformed;
use super::words::{position_from, position_into, vote_from, vote_into};
use pm_proto::v1;
use pm_proto::v1::link_request::Body;
use registry_consensus::{Append, Call, LogRecord, Position, VoteQuestion};

/// Bytes of a message beside its entries, and of an entry beside its data: no
/// less than they can become.
const ENVELOPE: usize = 96;

pub(in crate::peers) fn call_into(call: Call) -> Body {
    match call {
        Call::Append(Append { vote, previous, entries, committed }) => {
            let record = |r: LogRecord| v1::LogRecord { term: r.at.term, index: r.at.index, data: r.bytes };
            Body::Append(v1::AppendCall {
                vote: Some(vote_into(vote)),
                previous: previous.map(position_into),
                entries: entries.into_iter().map(record).collect(),
                committed: committed.map(position_into),
            })
        }
        Call::Vote(VoteQuestion { vote, last }) => {
            Body::Vote(v1::VoteCall { vote: Some(vote_into(vote)), last: last.map(position_into) })
        }
        Call::Confirm { term } => Body::Confirm(v1::ConfirmCall { term }),
        Call::ReadIndex { term } => Body::ReadIndex(v1::ReadIndexCall { term }),
        Call::Service(bytes) => Body::Service(bytes),
    }
}

/// A call; none if it is something else.
pub(in crate::peers) fn call_from(body: Body) -> Result<Result<Call, Body>, Malformed> {
    Ok(Ok(match body {
        Body::Append(v1::AppendCall { vote, previous, entries, committed }) => {
            let record = |r: v1::LogRecord| LogRecord { at: Position { term: r.term, index: r.index }, bytes: r.data };
            Call::Append(Append {
                vote: vote_from(vote, "append.vote")?,
                previous: previous.map(position_from),
                entries: entries.into_iter().map(record).collect(),
                committed: committed.map(position_from),
            })
        }
        Body::Vote(v1::VoteCall { vote, last }) => {
            Call::Vote(VoteQuestion { vote: vote_from(vote, "vote.vote")?, last: last.map(position_from) })
        }
        Body::Confirm(v1::ConfirmCall { term }) => Call::Confirm { term },
        Body::ReadIndex(v1::ReadIndexCall { term }) => Call::ReadIndex { term },
        Body::Service(bytes) => Call::Service(bytes),
        Body::Hello(_)
        | Body::Refusal(_)
        | Body::PreVoteAsked(_)
        | Body::PreVoteAnswered(_)
        | Body::Resigned(_)
        | Body::TakeOver(_)
        | Body::TakeOverRefused(_) => return Ok(Err(body)),
    }))
}

/// How many bytes a call becomes at most.
pub(in crate::peers) fn weight(call: &Call) -> usize {
    let inner = match call {
        Call::Append(append) => append.entries.iter().map(|entry| entry.bytes.len() + ENVELOPE).sum(),
        Call::Service(bytes) => bytes.len(),
        Call::Vote(_) | Call::Confirm { .. } | Call::ReadIndex { .. } => 0,
    };
    inner + ENVELOPE
}
