//! Changes of the membership: what is allowed, and that a plan which is cut
//! off anywhere is finished from what is then so.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

use registry_quorum::members::{Advice, Change, MemberRefusal, Plan, Reach, Roll, Stage, plan, unfinished};
use registry_quorum::{Chance, ReplicaId, Voters};
use std::collections::BTreeSet;

fn id(id: u64) -> ReplicaId {
    ReplicaId(id)
}

fn ids(ids: &[u64]) -> BTreeSet<ReplicaId> {
    ids.iter().map(|id| ReplicaId(*id)).collect()
}

/// Voters, and as many numbers given out as needed for `next`.
fn roll(voters: &[u64], next: u64) -> Roll {
    Roll { voters: Voters::of(ids(voters)), next, ..Roll::default() }
}

/// All of them answer and have the whole log.
fn reach(leader: u64, reachable: &[u64]) -> Reach {
    let matched = reachable.iter().map(|id| (ReplicaId(*id), 1_000)).collect();
    Reach { leader: id(leader), reachable: ids(reachable), matched, last: 1_000 }
}

fn stages(change: Change, roll: &Roll, reach: &Reach) -> Vec<Stage> {
    plan(change, roll, reach).unwrap_or_else(|refusal| panic!("{refusal}")).stages
}

fn refused(change: Change, roll: &Roll, reach: &Reach) -> MemberRefusal {
    plan(change, roll, reach).expect_err("it is allowed")
}

/// What the service does for a stage.
fn carry_out(stage: &Stage, roll: &mut Roll, reach: &mut Reach) {
    match stage {
        Stage::AddLearner(id) => {
            roll.learners.insert(*id);
        }
        Stage::CatchUp(id) => {
            reach.matched.insert(*id, reach.last);
        }
        Stage::HandOver { from, to } => {
            assert_eq!(*from, reach.leader);
            assert!(roll.voters.contains(*to), "{to} does not vote and cannot lead");
            reach.leader = *to;
        }
        Stage::ChangeVoters(voters) => {
            assert!(!roll.voters.is_joint(), "two changes at once");
            roll.voters = Voters::of_halves([roll.voters.target(), voters.clone()]);
            roll.learners.retain(|id| !voters.contains(id));
        }
        Stage::FinishJoint(voters) => {
            assert_eq!(*voters, roll.voters.target());
            assert!(voters.contains(&reach.leader), "the leader removes itself");
            // openraft keeps who does not vote any more as a learner.
            roll.learners.extend(roll.voters.all().difference(voters));
            roll.voters = Voters::of(voters.clone());
        }
        Stage::DropLearner(id) => {
            roll.learners.remove(id);
        }
        Stage::Retire(id) => {
            roll.gone.insert(*id);
        }
    }
}

#[test]
fn r10_every_change_cut_off_after_any_step_is_finished_by_planning_again() {
    for seed in 0..500 {
        let mut chance = Chance::new(seed);
        let mut roll = roll(&[1, 2, 3], 6);
        let mut reach = reach(1 + chance.up_to(2), &[1, 2, 3, 4, 5]);
        reach.matched.insert(id(4), 0);
        let old = id(1 + chance.up_to(2));
        let change = match chance.up_to(3) {
            0 => Change::Add(id(4)),
            1 => {
                roll.learners.insert(id(4));
                Change::Promote(id(4))
            }
            2 => Change::Remove(old),
            _ => Change::Replace { old, new: id(4) },
        };
        for _ in 0..30 {
            let Plan { stages, .. } = plan(change, &roll, &reach).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
            // Another leader between any two steps, as long as it votes.
            let Some(first) = stages.first() else { break };
            carry_out(first, &mut roll, &mut reach);
            let able: Vec<ReplicaId> = roll.voters.target().into_iter().collect();
            if chance.up_to(2) == 0 && !matches!(first, Stage::HandOver { .. }) {
                reach.leader = able[chance.up_to(able.len() as u64 - 1) as usize];
            }
        }
        assert!(stages(change, &roll, &reach).is_empty(), "seed {seed}: {change} is not finished");
        assert!(!roll.voters.is_joint());
        match change {
            Change::Add(id) => assert!(roll.learners.contains(&id) && !roll.voters.contains(id)),
            Change::Promote(id) => assert!(roll.voters.contains(id) && !roll.learners.contains(&id)),
            Change::Remove(id) => assert!(!roll.is_member(id) && roll.gone.contains(&id)),
            Change::Replace { old, new } => {
                assert!(!roll.is_member(old) && roll.gone.contains(&old) && roll.voters.contains(new));
            }
        }
    }
}

#[test]
fn a_dead_voter_is_replaced_in_one_joint_change() {
    let wanted = stages(Change::Replace { old: id(3), new: id(4) }, &roll(&[1, 2, 3], 5), &reach(1, &[1, 2, 4]));
    let voters = ids(&[1, 2, 4]);
    let expected = [
        Stage::AddLearner(id(4)),
        Stage::ChangeVoters(voters.clone()),
        Stage::FinishJoint(voters),
        Stage::DropLearner(id(3)),
        Stage::Retire(id(3)),
    ];
    assert_eq!(wanted, expected);
}

#[test]
fn a_leader_hands_over_before_it_is_removed() {
    let mut reach = reach(1, &[1, 2, 3]);
    reach.matched.insert(id(2), 2_000);
    let wanted = stages(Change::Remove(id(1)), &roll(&[1, 2, 3], 4), &reach);
    assert_eq!(wanted[0], Stage::HandOver { from: id(1), to: id(2) });
    // To somebody that stays: the newcomer does not vote yet.
    let roll = roll(&[1, 2, 3], 5);
    let mut reach = self::reach(1, &[1, 2, 4]);
    reach.matched.insert(id(4), 9_000);
    let wanted = stages(Change::Replace { old: id(1), new: id(4) }, &roll, &reach);
    assert!(wanted.contains(&Stage::HandOver { from: id(1), to: id(2) }), "{wanted:?}");
}

#[test]
fn r10_a_removal_that_leaves_no_reachable_majority_is_refused() {
    let refused = refused(Change::Remove(id(2)), &roll(&[1, 2, 3], 4), &reach(1, &[1, 2]));
    let missing = ids(&[3]);
    assert_eq!(refused, MemberRefusal::WouldLoseQuorum { voters: ids(&[1, 3]), missing });
    // The dead one may go.
    assert!(!stages(Change::Remove(id(3)), &roll(&[1, 2, 3], 4), &reach(1, &[1, 2])).is_empty());
}

#[test]
fn without_a_quorum_nothing_is_begun() {
    let refused = refused(Change::Remove(id(2)), &roll(&[1, 2, 3], 4), &reach(1, &[1]));
    assert_eq!(refused, MemberRefusal::NoQuorum { missing: ids(&[2, 3]) });
    assert!(refused.to_string().contains("pmctl cluster recover"), "{refused}");
}

#[test]
fn r10_one_change_at_a_time() {
    let mut roll = roll(&[1, 2, 3], 6);
    roll.voters = Voters::of_halves([ids(&[1, 2, 3]), ids(&[1, 2, 4])]);
    let reach = reach(1, &[1, 2, 3, 4, 5]);
    for change in [Change::Add(id(5)), Change::Remove(id(2)), Change::Replace { old: id(2), new: id(5) }] {
        assert!(matches!(refused(change, &roll, &reach), MemberRefusal::UnderWay { .. }), "{change}");
    }
    assert_eq!(unfinished(&roll), Some(Stage::FinishJoint(ids(&[1, 2, 4]))));
    // The change that is under way may be asked for again.
    let again = stages(Change::Replace { old: id(3), new: id(4) }, &roll, &reach);
    assert_eq!(again[0], Stage::FinishJoint(ids(&[1, 2, 4])));
}

#[test]
fn r11_a_number_is_never_used_again() {
    let mut roll = roll(&[1, 2], 4);
    roll.gone.insert(id(3));
    let reach = reach(1, &[1, 2, 3, 4]);
    for change in [Change::Add(id(3)), Change::Promote(id(3)), Change::Replace { old: id(2), new: id(3) }] {
        assert_eq!(refused(change, &roll, &reach), MemberRefusal::Gone(id(3)));
    }
    assert_eq!(refused(Change::Add(id(4)), &roll, &reach), MemberRefusal::NotEnrolled(id(4)));
    assert_eq!(refused(Change::Remove(id(9)), &roll, &reach), MemberRefusal::NotAMember(id(9)));
    assert!(stages(Change::Remove(id(3)), &roll, &reach).is_empty(), "it is gone already");
}

#[test]
fn what_is_so_already_is_an_empty_plan() {
    let mut roll = roll(&[1, 2, 3], 5);
    roll.learners.insert(id(4));
    let reach = reach(1, &[1, 2, 3, 4]);
    assert!(stages(Change::Promote(id(2)), &roll, &reach).is_empty());
    assert!(stages(Change::Add(id(4)), &roll, &reach).is_empty());
    assert!(stages(Change::Add(id(1)), &roll, &reach).is_empty());
}

#[test]
fn the_last_voter_stays() {
    assert_eq!(refused(Change::Remove(id(1)), &roll(&[1], 2), &reach(1, &[1])), MemberRefusal::LastVoter(id(1)));
    let two = refused(Change::Remove(id(1)), &roll(&[1, 2], 3), &reach(1, &[1]));
    assert!(matches!(two, MemberRefusal::NoQuorum { .. }));
    let same = Change::Replace { old: id(1), new: id(1) };
    assert_eq!(refused(same, &roll(&[1], 2), &reach(1, &[1])), MemberRefusal::Same(id(1)));
}

#[test]
fn who_is_to_vote_has_to_answer() {
    let mut roll = roll(&[1, 2, 3], 5);
    roll.learners.insert(id(4));
    assert_eq!(refused(Change::Promote(id(4)), &roll, &reach(1, &[1, 2, 3])), MemberRefusal::Unreachable(id(4)));
}

#[test]
fn even_sizes_are_advised_against_and_allowed() {
    let mut roll = roll(&[1, 2, 3], 5);
    roll.learners.insert(id(4));
    let four = plan(Change::Promote(id(4)), &roll, &reach(1, &[1, 2, 3, 4])).unwrap();
    assert_eq!(four.advice, Some(Advice::EvenVoters(4)));
    assert_eq!(
        four.advice.unwrap().to_string(),
        "4 voters survive the loss of 1 replicas, as 3 would: add or remove one"
    );
    let three = plan(Change::Add(id(4)), &roll, &reach(1, &[1, 2, 3])).unwrap();
    assert_eq!(three.advice, None);
    let two = plan(Change::Remove(id(3)), &self::roll(&[1, 2, 3], 4), &reach(1, &[1, 2, 3])).unwrap();
    assert_eq!(two.advice, Some(Advice::EvenVoters(2)));
}
