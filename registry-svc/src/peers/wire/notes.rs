//! Notes.

use super::words::{position_from, position_into};
use super::{Malformed, name};
use pm_proto::v1;
use pm_proto::v1::link_request::Body;
use registry_consensus::Note;
use registry_quorum::Millis;
use registry_quorum::elections::{Ballot, Opinion};

pub(in crate::peers) fn note_into(note: Note) -> Body {
    match note {
        Note::PreVoteAsked(ballot) => Body::PreVoteAsked(ballot_into(ballot)),
        Note::PreVoteAnswered(Opinion { ballot, granted, lease_left }) => Body::PreVoteAnswered(v1::PreVoteOpinion {
            ballot: Some(ballot_into(ballot)),
            granted,
            lease_left_ms: lease_left,
        }),
        Note::Resigned { term } => Body::Resigned(v1::ResignedNote { term }),
        Note::TakeOver { term, last } => Body::TakeOver(v1::TakeOverNote { term, last: Some(position_into(last)) }),
        Note::TakeOverRefused => Body::TakeOverRefused(v1::TakeOverRefusedNote {}),
    }
}

/// A note; everything else has no place where one is expected.
pub(in crate::peers) fn note_from(body: Body) -> Result<Note, Malformed> {
    Ok(match body {
        Body::PreVoteAsked(ballot) => Note::PreVoteAsked(ballot_from(Some(ballot), "pre_vote_asked")?),
        Body::PreVoteAnswered(v1::PreVoteOpinion { ballot, granted, lease_left_ms }) => {
            let ballot = ballot_from(ballot, "pre_vote_answered.ballot")?;
            Note::PreVoteAnswered(Opinion { ballot, granted, lease_left: lease_left_ms })
        }
        Body::Resigned(v1::ResignedNote { term }) => Note::Resigned { term },
        Body::TakeOver(v1::TakeOverNote { term, last }) => {
            let last = last.map(position_from).ok_or(Malformed::Missing("take_over.last"))?;
            Note::TakeOver { term, last }
        }
        Body::TakeOverRefused(v1::TakeOverRefusedNote {}) => Note::TakeOverRefused,
        Body::Hello(_)
        | Body::Refusal(_)
        | Body::Append(_)
        | Body::Vote(_)
        | Body::Confirm(_)
        | Body::ReadIndex(_)
        | Body::Service(_) => return Err(Malformed::Misplaced(name(&body))),
    })
}

fn ballot_into(ballot: Ballot) -> v1::PreVoteBallot {
    v1::PreVoteBallot { term: ballot.term, last: Some(position_into(ballot.last)), asked_ms: ballot.asked.0 }
}

fn ballot_from(ballot: Option<v1::PreVoteBallot>, field: &'static str) -> Result<Ballot, Malformed> {
    let v1::PreVoteBallot { term, last, asked_ms } = ballot.ok_or(Malformed::Missing(field))?;
    let last = last.map(position_from).ok_or(Malformed::Missing("ballot.last"))?;
    Ok(Ballot { term, last, asked: Millis(asked_ms) })
}
