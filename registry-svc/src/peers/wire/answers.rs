//! Answers.

use super::Malformed;
use super::words::{position_from, position_into, vote_from, vote_into};
use pm_proto::v1;
use pm_proto::v1::AppendOutcome as Outcome;
use pm_proto::v1::link_response::Body;
use registry_consensus::{Answer, Appended, VoteAnswer};

pub(in crate::peers) fn answer_into(answer: Answer) -> Body {
    match answer {
        Answer::Appended(appended) => {
            let (outcome, up_to, outvoted) = match appended {
                Appended::All => (Outcome::All, None, None),
                Appended::UpTo(position) => (Outcome::UpTo, position, None),
                Appended::Conflict => (Outcome::Conflict, None, None),
                Appended::Outvoted(vote) => (Outcome::Outvoted, None, Some(vote)),
            };
            Body::Append(v1::AppendAnswer {
                outcome: outcome.into(),
                up_to: up_to.map(position_into),
                outvoted: outvoted.map(vote_into),
            })
        }
        Answer::Vote(VoteAnswer { vote, granted, last }) => {
            Body::Vote(v1::VoteAnswer { vote: Some(vote_into(vote)), granted, last: last.map(position_into) })
        }
        Answer::Confirmed { term, yes } => Body::Confirm(v1::ConfirmAnswer { term, yes }),
        Answer::ReadIndex(index) => Body::ReadIndex(v1::ReadIndexAnswer { index }),
        Answer::Service(bytes) => Body::Service(bytes),
        Answer::Busy => Body::Busy(v1::BusyAnswer {}),
    }
}

pub(in crate::peers) fn answer_from(body: Body) -> Result<Answer, Malformed> {
    Ok(match body {
        Body::Welcome(_) => return Err(Malformed::Misplaced("welcome")),
        Body::Append(append) => Answer::Appended(appended_from(append)?),
        Body::Vote(v1::VoteAnswer { vote, granted, last }) => {
            let vote = vote_from(vote, "vote.vote")?;
            Answer::Vote(VoteAnswer { vote, granted, last: last.map(position_from) })
        }
        Body::Confirm(v1::ConfirmAnswer { term, yes }) => Answer::Confirmed { term, yes },
        Body::ReadIndex(v1::ReadIndexAnswer { index }) => Answer::ReadIndex(index),
        Body::Service(bytes) => Answer::Service(bytes),
        Body::Busy(v1::BusyAnswer {}) => Answer::Busy,
    })
}

fn appended_from(answer: v1::AppendAnswer) -> Result<Appended, Malformed> {
    let v1::AppendAnswer { outcome, up_to, outvoted } = answer;
    match Outcome::try_from(outcome) {
        Ok(Outcome::All) => Ok(Appended::All),
        Ok(Outcome::UpTo) => Ok(Appended::UpTo(up_to.map(position_from))),
        Ok(Outcome::Conflict) => Ok(Appended::Conflict),
        Ok(Outcome::Outvoted) => vote_from(outvoted, "append.outvoted").map(Appended::Outvoted),
        Ok(Outcome::Unspecified) | Err(_) => Err(Malformed::Unknown { field: "append.outcome", value: outcome }),
    }
}
