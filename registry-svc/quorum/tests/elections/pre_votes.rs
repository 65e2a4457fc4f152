//! Who grants, who asks, who stands, and when.

use crate::bench::*;
use registry_quorum::Voters;
use registry_quorum::elections::{Do, Mandate, Saw, Standing};

#[test]
fn nobody_grants_while_it_follows() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    assert!(!bench.asked(3, at(9, 99)));
}

#[test]
fn who_suspects_too_grants_a_log_that_is_no_older() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.leader_is_killed();
    assert!(bench.asked(3, at(5, 10)));
    assert!(bench.asked(3, at(6, 1)));
    assert!(!bench.asked(3, at(5, 9)));
    assert!(!bench.asked(3, at(4, 99)));
}

#[test]
fn who_does_not_vote_is_not_granted() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.leader_is_killed();
    assert!(!bench.asked(4, at(9, 99)));
}

#[test]
fn a_fresh_replica_lets_its_founder_stand_until_somebody_leads() {
    let mut bench = Bench::of(Voters::default());
    bench.stands(|standing| *standing = Standing::default());
    assert!(bench.asked(1, at(0, 0)), "the founder would never win");
    bench.sees(Saw::DiskFull(true));
    assert!(!bench.asked(1, at(0, 0)), "a vote has to be written");
    bench.sees(Saw::DiskFull(false));
    bench.hears();
    assert!(!bench.asked(3, at(9, 9)));
}

#[test]
fn a_learner_neither_grants_nor_asks() {
    let mut bench = Bench::following(voters(&[1, 3]));
    assert!(!asks(&bench.leader_is_killed()));
    assert!(!bench.asked(3, at(9, 99)));
    assert!(!asks(&bench.passes(5_000)));
}

#[test]
fn a_replica_whose_disk_stalls_or_is_full_neither_grants_nor_asks() {
    for fault in [Saw::DiskFull(true), Saw::DiskStalled(true)] {
        let mut bench = Bench::following(voters(&[1, 2, 3]));
        bench.sees(fault);
        assert!(!asks(&bench.leader_is_killed()));
        assert!(!bench.asked(3, at(9, 99)));
        assert!(!asks(&bench.passes(2_000)));
        let mut wanted = bench.sees(Saw::DiskFull(false));
        wanted.extend(bench.sees(Saw::DiskStalled(false)));
        wanted.extend(bench.passes(1_000));
        assert!(asks(&wanted));
    }
}

#[test]
fn a_question_that_came_too_early_is_granted_when_the_suspicion_comes() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    assert!(!bench.asked(3, at(5, 10)));
    let wanted = bench.leader_is_killed();
    assert!(wanted.iter().any(|it| matches!(it, Do::AnswerPreVote { to: OTHER, opinion } if opinion.granted)));
}

#[test]
fn of_two_equals_the_greater_number_goes_first_for_one_round() {
    let mut bench = Bench::following(voters(&[1, 2, 3, 4, 5]));
    bench.sees(Saw::LinkUp { peer: LEADER, boot: 1 });
    bench.leader_is_killed();
    assert!(bench.asked(3, at(5, 10)), "3 goes before 2");
    let mut greater = Bench::following(voters(&[1, 2]));
    greater.leader_is_killed();
    assert!(!greater.asked(1, at(5, 10)), "2 goes before 1");
    let wanted = greater.passes(150);
    let late = |it: &Do| matches!(it, Do::AnswerPreVote { to: LEADER, opinion } if opinion.granted);
    assert!(wanted.iter().any(late), "a preferred candidate that does not win holds nobody up");
}

#[test]
fn who_gave_way_stands_after_a_round_and_not_before() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.passes(110);
    assert!(asks(&bench.leader_is_killed()));
    assert!(bench.asked(3, at(5, 10)));
    assert!(!stood(&bench.answered(3, true, 0)));
    assert!(!stood(&bench.passes(149)));
    assert!(stood(&bench.passes(1)));
}

#[test]
fn nobody_stands_without_a_majority_of_grants() {
    let mut bench = Bench::following(voters(&[1, 2, 3, 4, 5]));
    bench.leader_is_killed();
    assert!(!stood(&bench.answered(3, true, 0)));
    assert!(!stood(&bench.answered(3, true, 0)), "nobody counts twice");
    assert!(!stood(&bench.answered(5, false, 0)));
    assert!(!stood(&bench.answered(9, true, 0)), "nor a stranger");
    assert_eq!(bench.answered(4, true, 0), [Do::Stand(Mandate::Majority)]);
}

#[test]
fn a_joint_change_takes_a_majority_of_both_halves() {
    let joint = Voters::of_halves([half(&[1, 2, 3]), half(&[2, 4, 5])]);
    let mut bench = Bench::following(joint.clone());
    bench.leader_is_killed();
    assert!(!stood(&bench.answered(3, true, 0)));
    assert!(stood(&bench.answered(4, true, 0)));
    let mut bench = Bench::following(joint);
    bench.leader_is_killed();
    assert!(!stood(&bench.answered(4, true, 0)) && !stood(&bench.answered(5, true, 0)));
}

#[test]
fn the_stand_waits_for_the_leases_that_it_needs_and_for_no_others() {
    let mut bench = Bench::following(voters(&[1, 2, 3, 4, 5]));
    bench.leader_is_killed();
    assert!(!stood(&bench.answered(3, true, 40)) && !stood(&bench.answered(4, true, 90)));
    assert!(!stood(&bench.passes(10)));
    assert!(!stood(&bench.answered(5, true, 50)), "3 and 5 are enough");
    assert!(!stood(&bench.passes(49)));
    assert!(stood(&bench.passes(1)));
}

#[test]
fn an_answer_says_how_long_the_lease_still_runs() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.passes(30);
    bench.leader_is_killed();
    let ballot = registry_quorum::elections::Ballot { term: 5, last: at(5, 10), asked: registry_quorum::Millis(7) };
    let wanted = bench.sees(Saw::PreVoteAsked { from: OTHER, ballot });
    let left = wanted.iter().find_map(|it| match it {
        Do::AnswerPreVote { opinion, .. } => Some(opinion.lease_left),
        _ => None,
    });
    assert_eq!(left, Some(102 + 2 - 30));
}

#[test]
fn answers_to_an_older_term_or_too_old_a_question_do_not_count() {
    let mut bench = Bench::following(voters(&[1, 2, 3]));
    bench.leader_is_killed();
    let asked = registry_quorum::Millis(bench.now);
    let answer = |term, asked| {
        let ballot = registry_quorum::elections::Ballot { term, last: at(5, 10), asked };
        let opinion = registry_quorum::elections::Opinion { ballot, granted: true, lease_left: 0 };
        Saw::PreVoteAnswered { from: OTHER, opinion }
    };
    assert!(!stood(&bench.sees(answer(4, asked))));
    bench.passes(501);
    assert!(!stood(&bench.sees(answer(5, asked))));
}

#[test]
fn a_leader_that_is_heard_ends_the_bid() {
    let mut bench = Bench::following(voters(&[1, 2, 3, 4, 5]));
    bench.leader_is_killed();
    bench.answered(3, true, 0);
    bench.hears();
    assert!(!stood(&bench.answered(4, true, 0)));
    assert!(!stood(&bench.passes(300)));
}

#[test]
fn a_lost_election_is_tried_again_with_chance_in_the_delay() {
    let mut delays = std::collections::BTreeSet::new();
    for boot in 2..12 {
        let mut bench = Bench::following(voters(&[1, 2, 3]));
        // The sequence of chance differs by how often it was drawn.
        for _ in 0..boot {
            bench.stands(|standing| (standing.term, standing.leader) = (standing.term + 1, None));
            bench.passes(400);
        }
        bench.stands(|standing| standing.term += 1);
        let begun = bench.now;
        while !asks(&bench.passes(1)) {
            assert!(bench.now - begun < 1_000, "it never asks again");
        }
        assert!(bench.now - begun >= 150);
        delays.insert(bench.now - begun);
    }
    assert!(delays.len() > 3, "always the same delay: {delays:?}");
}

#[test]
fn a_lone_voter_stands_at_once_and_once() {
    let mut bench = Bench::of(voters(&[2]));
    assert_eq!(bench.sees(Saw::Tick), [Do::Stand(Mandate::Majority)]);
    assert_eq!(bench.passes(149), [], "until the library has had its time");
}
