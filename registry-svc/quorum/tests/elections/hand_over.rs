//! A planned change of the leader, at both ends.

use crate::bench::*;
use registry_quorum::ReplicaId;
use registry_quorum::elections::{Do, HandOverEnd, Mandate, Saw};

/// Has led term 6 for longer than a lease; 3 lacks the last entry.
fn leader() -> Bench {
    let mut bench = fresh_leader();
    bench.passes(104);
    bench
}

fn fresh_leader() -> Bench {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.stands(|standing| {
        (standing.term, standing.leader, standing.last) = (6, Some(ME), at(6, 20));
        standing.matched = [(LEADER, 20), (OTHER, 19)].into();
    });
    bench
}

fn take_over() -> Do {
    Do::SendTakeOver { to: OTHER, term: 6, last: at(6, 20) }
}

#[test]
fn proposals_are_held_until_the_heir_has_everything() {
    let mut bench = leader();
    assert_eq!(bench.sees(Saw::HandOverAsked { to: Some(OTHER) }), [Do::HoldProposals]);
    let wanted = bench.stands(|standing| standing.matched = [(OTHER, 20)].into());
    assert_eq!(wanted, [take_over()]);
    let wanted = bench.stands(|standing| (standing.term, standing.leader) = (7, None));
    assert_eq!(wanted, [Do::HandOverEnded(HandOverEnd::Done)]);
}

#[test]
fn a_fresh_leader_hands_over_once_its_own_lease_would_let_it_vote() {
    let mut bench = fresh_leader();
    bench.stands(|standing| standing.matched = [(OTHER, 20)].into());
    assert_eq!(bench.sees(Saw::HandOverAsked { to: Some(OTHER) }), [Do::HoldProposals]);
    assert_eq!(bench.passes(103), []);
    assert_eq!(bench.passes(1), [take_over()]);
}

#[test]
fn without_a_name_the_connected_voter_with_the_longest_log_takes_over() {
    let mut bench = leader();
    let wanted = bench.sees(Saw::HandOverAsked { to: None });
    assert!(matches!(wanted[1], Do::SendTakeOver { to: LEADER, .. }), "{wanted:?}");
}

#[test]
fn a_hand_over_ends_in_bounded_time_and_at_once_when_it_cannot_succeed() {
    let mut slow = leader();
    slow.sees(Saw::HandOverAsked { to: Some(OTHER) });
    assert_eq!(slow.passes(500), [Do::HandOverEnded(HandOverEnd::TimedOut(OTHER))]);
    for saw in [Saw::TakeOverRefused { from: OTHER }, Saw::LinkDown { peer: OTHER, refused: false }] {
        let mut bench = leader();
        bench.sees(Saw::HandOverAsked { to: Some(OTHER) });
        assert_eq!(bench.sees(saw), [Do::HandOverEnded(HandOverEnd::Refused(OTHER))]);
    }
}

#[test]
fn what_cannot_be_handed_over_is_said_at_once() {
    let mut follower = Bench::following(voters(&[1, 2, 3]));
    let wanted = follower.sees(Saw::HandOverAsked { to: None });
    assert_eq!(wanted, [Do::HandOverEnded(HandOverEnd::NotLeading)]);
    let mut bench = leader();
    for nobody in [ME, ReplicaId(9)] {
        let wanted = bench.sees(Saw::HandOverAsked { to: Some(nobody) });
        assert_eq!(wanted, [Do::HandOverEnded(HandOverEnd::NoHeir)]);
    }
}

#[test]
fn the_heir_stands_once_it_has_everything_without_asking_anybody() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    assert_eq!(bench.sees(Saw::TakeOverAsked { from: LEADER, term: 5, last: at(5, 11) }), []);
    let wanted = bench.stands(|standing| (standing.leader, standing.last) = (Some(LEADER), at(5, 11)));
    assert_eq!(wanted, [Do::Stand(Mandate::Leader { past_leases: false })]);
    // The same message again, late.
    assert_eq!(bench.sees(Saw::TakeOverAsked { from: LEADER, term: 5, last: at(5, 11) }), []);
}

#[test]
fn of_five_the_heir_has_to_get_past_the_leases_of_the_others() {
    let mut bench = Bench::following(voters(&[1, 2, 3, 4, 5]));
    let wanted = bench.sees(Saw::TakeOverAsked { from: LEADER, term: 5, last: at(5, 10) });
    assert_eq!(wanted, [Do::Stand(Mandate::Leader { past_leases: true })]);
}

#[test]
fn the_heir_refuses_what_it_cannot_or_must_not_do() {
    let refusal = [Do::RefuseTakeOver { to: LEADER }];
    let wish = Saw::TakeOverAsked { from: LEADER, term: 5, last: at(5, 11) };
    let mut full = Bench::following(voters(&[1, 2, 3]));
    full.sees(Saw::DiskFull(true));
    assert_eq!(full.sees(wish.clone()), refusal);
    let mut later = Bench::following(voters(&[1, 2, 3]));
    later.sees(Saw::Heard { from: OTHER, term: 6 });
    assert_eq!(later.sees(wish.clone()), refusal);
    let mut behind = Bench::following(voters(&[1, 2, 3]));
    behind.sees(wish);
    let wanted = behind.passes(260);
    assert!(wanted.contains(&refusal[0]) && !stood(&wanted), "{wanted:?}");
}
