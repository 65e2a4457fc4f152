//! What counts as evidence against the leader, and what does not.

use crate::bench::*;
use registry_quorum::Millis;
use registry_quorum::elections::{Ballot, Do, Evidence, Saw};

#[test]
fn a_broken_link_is_dialled_at_once_and_a_refusal_is_evidence() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    assert_eq!(bench.sees(Saw::LinkDown { peer: LEADER, refused: false }), [Do::Redial(LEADER)]);
    assert_eq!(bench.suspects(), None);
    let wanted = bench.sees(Saw::LinkDown { peer: LEADER, refused: true });
    assert!(asks(&wanted));
    assert_eq!(bench.suspects(), Some(Evidence::Refused));
}

#[test]
fn a_broken_link_that_nobody_answers_is_evidence_after_300_ms() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.sees(Saw::LinkDown { peer: LEADER, refused: false });
    assert!(!asks(&bench.passes(299)));
    assert!(asks(&bench.passes(1)));
    assert_eq!(bench.suspects(), Some(Evidence::Unanswered));
}

#[test]
fn silence_is_evidence_after_the_election_timeout() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    assert!(!asks(&bench.passes(999)));
    assert!(asks(&bench.passes(1)));
    assert_eq!(bench.suspects(), Some(Evidence::Silence));
}

#[test]
fn the_broken_link_of_somebody_else_is_no_evidence() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    assert_eq!(bench.sees(Saw::LinkDown { peer: OTHER, refused: true }), []);
    assert_eq!(bench.suspects(), None);
}

#[test]
fn a_leader_that_is_heard_is_not_suspected_and_its_link_is_tried_again() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.leader_is_killed();
    // It was on its way; if it was the last word, the next dial is refused again.
    assert_eq!(bench.sees(Saw::Heard { from: LEADER, term: 5 }), [Do::Redial(LEADER)]);
    assert_eq!(bench.suspects(), None);
    bench.sees(Saw::LinkDown { peer: LEADER, refused: true });
    assert_eq!(bench.suspects(), Some(Evidence::Refused));
}

#[test]
fn a_leader_of_the_past_is_not_heard() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.passes(999);
    bench.sees(Saw::Heard { from: OTHER, term: 4 });
    bench.passes(1);
    assert_eq!(bench.suspects(), Some(Evidence::Silence));
}

#[test]
fn a_leader_that_was_started_anew_leads_no_more_whatever_comes_late() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.sees(Saw::LinkUp { peer: LEADER, boot: 2 });
    assert_eq!(bench.suspects(), Some(Evidence::Restarted));
    bench.hears();
    assert_eq!(bench.suspects(), Some(Evidence::Restarted));
    bench.sees(Saw::Heard { from: LEADER, term: 6 });
    assert_eq!(bench.suspects(), None, "it was elected again");
}

#[test]
fn a_reconnect_of_the_same_process_is_no_evidence() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.sees(Saw::LinkDown { peer: LEADER, refused: false });
    bench.sees(Saw::LinkUp { peer: LEADER, boot: 1 });
    bench.passes(400);
    assert_eq!(bench.suspects(), None);
}

#[test]
fn a_leader_that_resigned_is_suspected_until_it_is_heard_again() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.sees(Saw::Resigned { from: LEADER, term: 4 });
    bench.sees(Saw::Resigned { from: OTHER, term: 5 });
    assert_eq!(bench.suspects(), None);
    bench.sees(Saw::Resigned { from: LEADER, term: 5 });
    assert_eq!(bench.suspects(), Some(Evidence::Resigned));
    bench.hears();
    assert_eq!(bench.suspects(), None);
}

#[test]
fn a_leader_that_asks_from_a_later_term_does_not_lead_this_one() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    let ballot = |term| Ballot { term, last: at(5, 10), asked: Millis(1) };
    bench.sees(Saw::PreVoteAsked { from: LEADER, ballot: ballot(5) });
    assert_eq!(bench.suspects(), None, "it may have asked before it was elected");
    bench.sees(Saw::PreVoteAsked { from: LEADER, ballot: ballot(6) });
    assert_eq!(bench.suspects(), Some(Evidence::MovedOn));
}

#[test]
fn a_replica_that_has_just_started_suspects_nobody_for_an_election_timeout() {
    let mut bench = Bench::of(voters(&[1, 2, 3]));
    assert!(!asks(&bench.passes(999)));
    assert!(asks(&bench.passes(1)));
}

#[test]
fn time_that_it_slept_is_no_silence() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.now += 60_000;
    assert_eq!(bench.sees(Saw::Tick), []);
    assert_eq!(bench.suspects(), None);
    assert!(asks(&bench.passes(1_000)), "but what follows is");
}

#[test]
fn a_vacant_term_is_left_to_its_candidate_for_one_round() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.stands(|standing| (standing.term, standing.leader) = (6, None));
    assert!(!asks(&bench.passes(149)));
    assert_eq!(bench.suspects(), None);
    assert!(asks(&bench.passes(60)));
    assert_eq!(bench.suspects(), Some(Evidence::Vacant));
}

#[test]
fn time_that_runs_backwards_stands_still() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.passes(900);
    bench.now -= 500;
    assert_eq!(bench.sees(Saw::Tick), []);
    bench.now += 600;
    assert!(asks(&bench.sees(Saw::Tick)));
}

#[test]
fn a_late_view_of_the_library_does_not_take_a_leader_back() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.sees(Saw::Heard { from: OTHER, term: 6 });
    bench.stands(|standing| (standing.term, standing.leader) = (5, Some(LEADER)));
    bench.leader_is_killed();
    assert_eq!(bench.suspects(), None, "1 does not lead any more");
}
