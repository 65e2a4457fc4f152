//! Messages on the wire ⇄ what they mean. A message that lacks a part, or
//! says what nobody knows, is malformed: nothing is guessed.

mod answers;
mod calls;
mod hello;
mod introduction;
mod notes;
mod snapshot;
mod words;

pub(super) use answers::{answer_from, answer_into};
pub(super) use calls::{call_from, call_into, weight};
pub(super) use hello::{hello_from, hello_into, refusal_from, refusal_into};
pub(super) use introduction::{introduced_from, introduced_into, plan_from, plan_into};
pub(super) use notes::{note_from, note_into};
pub(super) use snapshot::{meta_from, meta_into};
pub(super) use words::{vote_from, vote_into};

use pm_proto::v1::link_request::Body as Asked;

/// A message that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// A part that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A value that no version knows, or a later one.
    #[error("{field} is {value}, which this version does not know")]
    Unknown {
        /// Where.
        field: &'static str,
        /// What stands there.
        value: i32,
    },
    /// In its place something else has to come.
    #[error("{0} comes where it must not")]
    Misplaced(&'static str),
    /// A number that does not fit.
    #[error("{field} is {value}, which is out of range")]
    Range {
        /// Where.
        field: &'static str,
        /// What stands there.
        value: u64,
    },
}

/// What a frame of a dialer is, for messages about it.
pub(super) fn name(body: &Asked) -> &'static str {
    match body {
        Asked::Hello(_) => "hello",
        Asked::Refusal(_) => "refusal",
        Asked::Append(_) => "append",
        Asked::Vote(_) => "vote",
        Asked::Confirm(_) => "confirm",
        Asked::ReadIndex(_) => "read_index",
        Asked::Service(_) => "service",
        Asked::PreVoteAsked(_) => "pre_vote_asked",
        Asked::PreVoteAnswered(_) => "pre_vote_answered",
        Asked::Resigned(_) => "resigned",
        Asked::TakeOver(_) => "take_over",
        Asked::TakeOverRefused(_) => "take_over_refused",
    }
}

#[cfg(test)]
mod tests;
