//! Everything that is said arrives as it was said.

use super::*;
use bytes::Bytes;
use pm_proto::v1;
use prost::Message as _;
use registry_consensus::{
    Answer, Append, Appended, Call, LogRecord, Members, Note, Position, ReplicaId, SnapshotMeta, Vote, VoteAnswer,
    VoteQuestion, Voters,
};
use registry_quorum::Millis;
use registry_quorum::elections::{Ballot, Opinion};

fn at(term: u64, index: u64) -> Position {
    Position { term, index }
}

fn vote(term: u64, voted_for: Option<u64>, committed: bool) -> Vote {
    Vote { term, voted_for, committed }
}

fn calls() -> Vec<Call> {
    let entries = vec![
        LogRecord { at: at(3, 8), bytes: Bytes::from_static(b"eight") },
        LogRecord { at: at(4, 9), bytes: Bytes::new() },
    ];
    let (leader, previous, committed) = (vote(4, Some(2), true), Some(at(3, 7)), Some(at(3, 6)));
    vec![
        Call::Append(Append { vote: leader, previous, entries, committed }),
        Call::Append(Append { vote: vote(0, None, false), previous: None, entries: vec![], committed: None }),
        Call::Vote(VoteQuestion { vote: vote(5, Some(1), false), last: Some(at(4, 9)) }),
        Call::Vote(VoteQuestion { vote: vote(5, Some(1), false), last: None }),
        Call::Confirm { term: u64::MAX },
        Call::ReadIndex { term: None },
        Call::ReadIndex { term: Some(7) },
        Call::Service(Bytes::from_static(b"\0anything")),
        Call::Service(Bytes::new()),
    ]
}

fn answers() -> Vec<Answer> {
    vec![
        Answer::Appended(Appended::All),
        Answer::Appended(Appended::UpTo(Some(at(4, 9)))),
        Answer::Appended(Appended::UpTo(None)),
        Answer::Appended(Appended::Conflict),
        Answer::Appended(Appended::Outvoted(vote(9, Some(0), true))),
        Answer::Vote(VoteAnswer { vote: vote(5, None, false), granted: true, last: Some(at(0, 0)) }),
        Answer::Vote(VoteAnswer { vote: vote(5, Some(3), true), granted: false, last: None }),
        Answer::Confirmed { term: 5, yes: true },
        Answer::ReadIndex(Some(0)),
        Answer::ReadIndex(None),
        Answer::Service(Bytes::from_static(b"yes")),
        Answer::Busy,
    ]
}

fn notes() -> Vec<Note> {
    let ballot = Ballot { term: 4, last: at(4, 9), asked: Millis(77) };
    vec![
        Note::PreVoteAsked(ballot),
        Note::PreVoteAnswered(Opinion { ballot, granted: true, lease_left: 12 }),
        Note::Resigned { term: 4 },
        Note::TakeOver { term: 4, last: at(4, 9) },
        Note::TakeOverRefused,
    ]
}

/// Through the bytes of the wire.
fn sent(body: v1::link_request::Body) -> v1::link_request::Body {
    let bytes = v1::LinkRequest { number: 1, body: Some(body) }.encode_to_vec();
    v1::LinkRequest::decode(bytes.as_slice()).unwrap().body.unwrap()
}

#[test]
fn every_call_arrives_as_it_was_made_and_its_weight_is_no_less_than_its_size() {
    for call in calls() {
        let body = sent(call_into(call.clone()));
        let size = v1::LinkRequest { number: u64::MAX, body: Some(body.clone()) }.encoded_len();
        assert!(weight(&call) >= size, "{call:?} became {size} bytes");
        assert_eq!(call_from(body), Ok(Ok(call)));
    }
}

#[test]
fn every_answer_and_every_note_arrives_as_it_was_given() {
    for answer in answers() {
        let bytes = v1::LinkResponse { number: 1, body: Some(answer_into(answer.clone())) }.encode_to_vec();
        let body = v1::LinkResponse::decode(bytes.as_slice()).unwrap().body.unwrap();
        assert_eq!(answer_from(body), Ok(answer));
    }
    for note in notes() {
        let body = sent(note_into(note.clone()));
        assert_eq!(call_from(body.clone()), Ok(Err(body.clone())));
        assert_eq!(note_from(body), Ok(note));
    }
}

#[test]
fn entries_are_shared_with_the_message_and_not_copied() {
    let bytes = Bytes::from(vec![7; 100]);
    let entry = LogRecord { at: at(1, 1), bytes: bytes.clone() };
    let append = Append { vote: vote(1, Some(1), true), previous: None, entries: vec![entry], committed: None };
    let v1::link_request::Body::Append(wire) = call_into(Call::Append(append)) else { panic!() };
    assert_eq!(wire.entries[0].data.as_ptr(), bytes.as_ptr());
}

#[test]
fn a_message_that_lacks_a_part_or_says_what_nobody_knows_is_malformed() {
    use v1::link_request::Body;
    assert_eq!(call_from(Body::Append(v1::AppendCall::default())), Err(Malformed::Missing("append.vote")));
    assert_eq!(call_from(Body::Vote(v1::VoteCall::default())), Err(Malformed::Missing("vote.vote")));
    assert_eq!(note_from(Body::TakeOver(v1::TakeOverNote::default())), Err(Malformed::Missing("take_over.last")));
    assert_eq!(note_from(Body::PreVoteAsked(v1::PreVoteBallot::default())), Err(Malformed::Missing("ballot.last")));
    assert_eq!(note_from(Body::Hello(v1::PeerHello::default())), Err(Malformed::Misplaced("hello")));
    let unknown = v1::AppendAnswer { outcome: 99, ..v1::AppendAnswer::default() };
    let fault = answer_from(v1::link_response::Body::Append(unknown)).unwrap_err();
    assert_eq!(fault.to_string(), "append.outcome is 99, which this version does not know");
    assert_eq!(hello_from(Some(v1::PeerHello::default())), Err(Malformed::Missing("hello.header")));
}

#[test]
fn a_snapshots_meta_arrives_as_it_was_given() {
    let one = [ReplicaId(1), ReplicaId(2)].into();
    let members = Members {
        voters: Voters::of_halves([one, [ReplicaId(2), ReplicaId(3)].into()]),
        learners: [ReplicaId(9)].into(),
    };
    let meta = SnapshotMeta { id: "s1".into(), at: Some(at(4, 9)), members_at: None, members };
    let mut offer = v1::SnapshotOffer::default();
    meta_into(&meta, &mut offer);
    let offer = v1::SnapshotOffer::decode(offer.encode_to_vec().as_slice()).unwrap();
    assert_eq!(meta_from(&offer), Ok(meta));
}
